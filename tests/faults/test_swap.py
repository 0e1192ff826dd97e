"""Two modules that the cluster has swapped: the operator's own record tells them apart.

The API is a fake; ``tests/cluster/test_twins.py`` has a real one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.fake_api import MODULES, TOKEN, FakeApi
from support.faults import PROMPT
from support.host import Host, StartHost
from support.wire import assert_failure, operations

from modulehost.front.swap import PATIENCE
from modulehost.shared.kubeconfig import KUBECONFIG

POD, SERVICE = "custom-manager-t7dwl", "custom-manager-bpj2n"
OTHER_POD, OTHER_SERVICE = "custom-manager-qx5vd", "custom-manager-x8k2p"
IN_CLUSTER = ".forkspacer-system.svc.cluster.local"
CURE = "delete one of the two Modules and apply it again, more than a second later"
UNKNOWN = "whether the call is for this pod is not known"
MISBEHAVIOUR = {
    "silent": "did not answer within 2 s",
    "stalls": "did not answer within 2 s",
    "drips": "did not answer within 2 s",
    "closes": "RemoteDisconnected",
    "no http": "BadStatusLine",
    "no json": "malformed",
    "other shape": "Expected",
    "huge": "larger than",
    "401": "401 Unauthorized",
    "403": "403 Forbidden",
    "500": "500 Internal Server Error",
}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[FakeApi]:
    """An API that knows no Module yet."""
    with FakeApi(tmp_path) as api:
        yield api


def start(start_host: StartHost, api: FakeApi, plugin: str = "good", server: str = "") -> Host:
    """A host in the pod of that name, for a workspace in the cluster of that API."""
    host = start_host(plugin, HOSTNAME=POD, **api.environ)
    (host.config / KUBECONFIG).write_text(api.kubeconfig(server))
    return host


def install(host: Host, service: str = SERVICE) -> int:
    """Install by that Service; the status."""
    return host.call("install", {"a": 1}, Host=service + IN_CLUSTER).status


def test_the_first_call_is_refused_with_both_names_and_the_cure(
    start_host: StartHost, api: FakeApi
) -> None:
    """One Module's Service, another's pod: nothing is pinned, and the right call is taken."""
    api.keep("shops/left", OTHER_POD, OTHER_SERVICE)
    api.keep("shops/right", POD, SERVICE)
    host = start(start_host, api)
    reply = host.call("install", {"a": 1}, Host=OTHER_SERVICE + IN_CLUSTER)
    names = ("shops/left", "shops/right", POD, OTHER_POD, OTHER_SERVICE)
    assert_failure(reply, "the cluster has swapped two modules", *names, CURE)
    assert operations(host) == 0
    assert not host.journal().entered
    assert install(host) == 201


@pytest.mark.parametrize(
    ("module", "pod", "service"),
    [("shops/left", OTHER_POD, SERVICE), ("shops/right", POD, OTHER_SERVICE)],
)
def test_either_of_the_two_records_is_enough(
    start_host: StartHost, api: FakeApi, module: str, pod: str, service: str
) -> None:
    """The other Module may not have been written down yet: that comes just before its call."""
    api.keep("shops/right", "", "")
    api.keep(module, pod, service)
    host = start(start_host, api)
    reply = host.call("install", {"a": 1}, Host=SERVICE + IN_CLUSTER)
    assert_failure(reply, module, POD, SERVICE, CURE)
    assert operations(host) == 0


def test_the_right_pod_is_told_its_module_once(start_host: StartHost, api: FakeApi) -> None:
    """It installs; later calls, and those after a sleep, ask nobody."""
    api.keep("shops/left", OTHER_POD, OTHER_SERVICE)
    api.keep("shops/right", POD, SERVICE)
    host = start(start_host, api)
    assert install(host) == 201
    told = host.wait_for("the call is for this pod")
    assert (told["module"], told["pod"]) == ("shops/right", POD)
    assert host.call("sleep", {"a": 1}, Host=SERVICE + IN_CLUSTER).status == 200
    assert [(one.path.partition("?")[0], one.token) for one in api.asked] == [(MODULES, TOKEN)]
    assert TOKEN not in (host.folder / "log").read_text()


def test_it_is_found_among_many(start_host: StartHost, api: FakeApi) -> None:
    """The API gives them page by page; an annotation that somebody has edited is no matter."""
    for number in range(57):
        api.keep(f"shops/other-{number}", f"{OTHER_POD}{number}", f"{OTHER_SERVICE}{number}")
    api.modules[0]["metadata"]["annotations"] = {"forkspacer.com/manager-data": "{edited"}
    del api.modules[1]["metadata"]["annotations"]
    api.keep("shops/last", OTHER_POD, SERVICE)
    host = start(start_host, api)
    assert_failure(
        host.call("install", {"a": 1}, Host=SERVICE + IN_CLUSTER), "shops/last", OTHER_POD, CURE
    )
    assert len(api.asked) == 3


@pytest.mark.slow
@pytest.mark.parametrize("does", MISBEHAVIOUR)
def test_an_api_that_cannot_be_asked_fails_nothing(
    start_host: StartHost, api: FakeApi, does: str
) -> None:
    """The install succeeds, in bounded time, and the log says what would show a swap."""
    api.does = does
    api.keep("shops/left", OTHER_POD, SERVICE)
    host = start(start_host, api)
    host.wait_for("plugin loaded")
    began = time.monotonic()
    assert install(host) == 201
    assert time.monotonic() - began < PATIENCE + PROMPT
    told = host.wait_for(UNKNOWN)
    assert MISBEHAVIOUR[does] in told["reason"]
    assert (told["pod"], told["service"]) == (POD, f"{SERVICE}.forkspacer-system")
    assert "runnerPodName" in told["hint"]
    assert TOKEN not in (host.folder / "log").read_text()


@pytest.mark.parametrize("fault", ["authority", "name", "nobody"])
def test_nobody_but_the_api_is_told_the_token(
    start_host: StartHost, tmp_path: Path, fault: str
) -> None:
    """A certificate of another authority, or for another name, or no listener: install goes on."""
    (tmp_path / "other").mkdir()
    name = "198.51.100.7" if fault == "name" else "127.0.0.1"
    with FakeApi(tmp_path, name=name) as api, FakeApi(tmp_path / "other") as other:
        host = start(start_host, api)
        if fault == "authority":
            config = host.config / KUBECONFIG
            config.write_text(config.read_text().replace(str(api.authority), str(other.authority)))
        if fault == "nobody":
            api.__exit__()
        assert install(host) == 201
        assert "cannot be asked" in host.wait_for(UNKNOWN)["reason"]
        assert api.asked == []


@pytest.mark.parametrize("kind", ["none", "another cluster", "no token", "edited"])
def test_where_nothing_may_be_read_nobody_is_asked(
    start_host: StartHost, api: FakeApi, kind: str
) -> None:
    """Without a kubeconfig of this cluster; the log says at the first install what shows a swap."""
    host = start(start_host, api, server="https://example.com" if kind == "another cluster" else "")
    config = host.config / KUBECONFIG
    match kind:
        case "none":
            config.unlink()
        case "no token":
            config.write_text(config.read_text().replace("token:", "tokenFile:"))
        case "edited":
            config.write_bytes(b"\xff\x00{")
    assert install(host) == 201
    told = host.wait_for(UNKNOWN)
    assert told["reason"] == "this pod has no credentials that may read Modules"
    assert (told["pod"], told["service"]) == (POD, f"{SERVICE}.forkspacer-system")
    assert host.call("sleep", {"a": 1}, Host=SERVICE + IN_CLUSTER).status == 200
    assert len(host.events(UNKNOWN)) == 1
    assert api.asked == []


def test_calls_by_address_are_not_looked_at(start_host: StartHost, api: FakeApi) -> None:
    """They name no Service; the first that does is looked at, whatever came before."""
    api.keep("shops/left", OTHER_POD, OTHER_SERVICE)
    host = start(start_host, api)
    assert host.call("install", {"a": 1}).status == 201
    assert api.asked == []
    assert_failure(host.call("sleep", {"a": 1}, Host=OTHER_SERVICE + IN_CLUSTER), CURE)
    assert host.call("sleep", {"a": 1}).status == 200


def test_the_module_that_was_refused_can_be_deleted(start_host: StartHost, api: FakeApi) -> None:
    """Its uninstall has nothing to clean up: it succeeds, with no hook called."""
    api.keep("shops/left", OTHER_POD, OTHER_SERVICE)
    api.keep("shops/right", POD, SERVICE)
    host = start(start_host, api)
    assert install(host, OTHER_SERVICE) == 400
    assert host.call("uninstall", {}, Host=OTHER_SERVICE + IN_CLUSTER).status == 204
    assert operations(host) == 0
    assert install(host) == 201


def test_an_uninstall_with_metadata_is_refused(start_host: StartHost, api: FakeApi) -> None:
    """It would be run with another module's config."""
    api.keep("shops/left", OTHER_POD, OTHER_SERVICE)
    host = start(start_host, api)
    reply = host.call("uninstall", {"a": 1}, Host=OTHER_SERVICE + IN_CLUSTER)
    assert_failure(reply, "shops/left", OTHER_POD)
    assert operations(host) == 0
