"""A host serves one module: two that the cluster has mixed up are told apart by their Host."""

from __future__ import annotations

import pytest
from support.host import Host, StartHost
from support.wire import Wire, assert_failure, exchange, head, operations, post

OURS = "shop.forkspacer-system.svc.cluster.local"
OTHER = "blog.forkspacer-system.svc.cluster.local"
OURS_SHORT, OTHER_SHORT = "shop.forkspacer-system", "blog.forkspacer-system"


def test_a_call_for_another_module_is_refused_by_name(host: Host) -> None:
    """The first operation says whose host this is; the reason names both modules."""
    assert host.call("install", {"a": 1}, Host=OURS).status == 201
    before = operations(host)
    for operation in ("install", "sleep", "resume", "uninstall"):
        reply = host.call(operation, {"a": 1}, Host=OTHER)
        assert_failure(reply, OURS_SHORT, OTHER_SHORT, "mixed up two modules")
    assert operations(host) == before
    assert host.call("sleep", {"a": 1}, Host=OURS).status == 200


@pytest.mark.parametrize(
    "same",
    [
        OURS + ":8080",
        "shop.forkspacer-system.svc",
        "shop.forkspacer-system.svc:80",
        "shop.forkspacer-system.svc.cluster.local.",
        "shop.forkspacer-system.svc.another.domain",
        "SHOP.Forkspacer-System.SVC.Cluster.Local",
    ],
)
def test_suffix_port_and_case_do_not_matter(host: Host, same: str) -> None:
    """What comes after ``NAME.NAMESPACE.svc`` is the cluster's, not the module's."""
    assert host.call("install", {"a": 1}, Host=OURS).status == 201
    assert host.call("sleep", {"a": 1}, Host=same).status == 200
    assert host.call("uninstall", {"a": 1}).status == 204
    assert host.call("install", {"a": 2}, Host=same).status == 201
    assert host.call("sleep", {"a": 2}, Host=OURS).status == 200


@pytest.mark.parametrize("other", ["shop.another-namespace.svc", "shop2.forkspacer-system.svc"])
def test_name_and_namespace_both_count(host: Host, other: str) -> None:
    """The same name in another namespace is another module."""
    assert host.call("install", {"a": 1}, Host=OURS).status == 201
    assert_failure(host.call("sleep", {"a": 1}, Host=other), other.removesuffix(".svc"))


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3:8080",
        "[::1]:8080",
        "localhost",
        "shop",
        "example.com",
        "",
        "svc",
        "ü",
    ],
)
def test_hosts_that_name_no_module_pass(host: Host, address: str) -> None:
    """An address or localhost, before and after the module is known; it pins nothing."""
    header = f"Host: {address}"

    def call(operation: str) -> int:
        data = post(f"/{operation}", b'{"a": 1}').replace(b"Host: localhost", header.encode())
        return exchange(host, data).status

    assert call("install") == 201
    assert host.call("sleep", {"a": 1}, Host=OURS).status == 200
    assert call("resume") == 200
    assert_failure(host.call("sleep", {"a": 1}, Host=OTHER), OURS_SHORT)
    assert call("uninstall") == 204


def test_a_request_without_a_host_passes(host: Host) -> None:
    """As HTTP/1.0 allows."""
    assert host.call("install", {"a": 1}, Host=OURS).status == 201
    with Wire(host, b"POST /sleep HTTP/1.0\r\n\r\n") as wire:
        assert wire.answer().status == 200


def test_health_is_for_everybody(host: Host) -> None:
    """A question for the health pins nothing and is never refused."""
    assert host.request("GET", "/health", headers={"Host": OTHER}).status == 200
    assert host.call("install", {"a": 1}, Host=OURS).status == 201
    assert host.request("GET", "/health", headers={"Host": OTHER}).status == 200


def test_a_refused_request_pins_nothing(host: Host) -> None:
    """A body that is no metadata, another path, another method: none was an operation."""
    for data in (post("/install", b"["), post("/nothing"), head("GET", "/install")):
        assert exchange(host, data.replace(b"localhost", OTHER.encode())).status >= 400
    assert host.call("install", {"a": 1}, Host=OURS).status == 201


def test_a_successful_uninstall_unpins(host: Host) -> None:
    """The module is gone, and the host is anybody's again."""
    assert host.call("install", {"a": 1}, Host=OURS).status == 201
    assert host.call("uninstall", {"a": 1}, Host=OURS).status == 204
    assert host.call("install", {"a": 1}, Host=OTHER).status == 201
    assert_failure(host.call("sleep", {"a": 1}, Host=OURS), OTHER_SHORT)


def test_a_failed_uninstall_does_not_unpin(start_host: StartHost) -> None:
    """As long as something may be left, it is this module's."""
    host = start_host("obedient")
    assert host.call("install", {"a": 1}, Host=OURS).status == 201
    assert_failure(host.call("uninstall", {"fail": "it is in use"}, Host=OURS), "it is in use")
    assert_failure(host.call("install", {"b": 1}, Host=OTHER), OURS_SHORT)


def test_an_operation_that_cannot_be_begun_pins_nothing(start_host: StartHost) -> None:
    """A config that does not fit may be the other module's; so the first one may still come."""
    host = start_host(
        "configured",
    )
    assert_failure(host.call("install", {"a": 1}, Host=OTHER), "appName: missing")
    assert host.call("install", {"appName": "x"}, Host=OURS).status == 201
    assert_failure(host.call("sleep", {"a": 1}, Host=OURS), "appName: missing")
    assert_failure(host.call("sleep", {"appName": "x"}, Host=OTHER), OURS_SHORT)


def test_the_pin_survives_sleep(start_host: StartHost) -> None:
    """A host that was asleep still knows whose it is."""
    host = start_host("good", MODULE_IDLE=1)
    assert host.call("install", {"a": 1}, Host=OURS).status == 201
    host.wait_for("asleep")
    assert_failure(host.call("sleep", {"a": 1}, Host=OTHER), OURS_SHORT, OTHER_SHORT)
    assert host.call("sleep", {"a": 1}, Host=OURS).status == 200
