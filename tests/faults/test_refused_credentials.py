"""An operation fails since the cluster answers 401: the log says what that means, and the cures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.fake_api import FakeApi
from support.host import Host, StartHost
from support.processes import wait_until

from modulehost.shared.kubeconfig import KUBECONFIG

HINT = "the cluster refuses the credentials"
REASONS = {
    "raise": "HTTPError: HTTP Error 401: Unauthorized",
    "raise another": "it does not work",
    "raise a group": "ExceptionGroup: several (2 sub-exceptions)",
    "run": "sh ended with exit status 1: bye",
    "run, unchecked, unlogged": "it does not work",
    "run it itself": "CalledProcessError: Command",
    "print and die": "the plugin's process died during install: exit status 1",
    "print and wait": "install did not finish within 2 s",
}


@pytest.fixture
def host(start_host: StartHost, tmp_path: Path) -> Iterator[Host]:
    """A host with a kubeconfig that is refused."""
    with FakeApi(tmp_path, "401") as api:
        host = start_host("is_refused", MODULE_DEADLINE=2)
        (host.config / KUBECONFIG).write_text(api.kubeconfig())
        about = {"port": api.port, "ca": str(api.authority)}
        (host.folder / "api.json").write_text(json.dumps(about))
        yield host


@pytest.mark.parametrize("how", REASONS)
def test_one_line_has_cause_and_cures(host: Host, how: str) -> None:
    """However it is noticed; the reason that the client gets is the plugin's own."""
    reply = host.call("install", {"do": how})
    assert reply.status == 400
    assert reply.text.startswith(REASONS[how])
    assert "operator" not in reply.text
    told = host.wait_for(HINT)
    assert (told["level"], told["operation"], told["plugin"]) == (
        "warning",
        "install",
        "is_refused",
    )
    for word in ("bound to the operator's pod", "kubeconfig", "controller", "a fresh pod"):
        assert word in told["hint"]
    assert host.call("uninstall", {"do": ""}).status == 204
    assert len(host.events(HINT)) == 1


@pytest.mark.parametrize("how", ["fail otherwise", "print and succeed"])
def test_nothing_is_told_of_other_operations(host: Host, how: str) -> None:
    """One that fails for another reason, and one that succeeds all the same."""
    host.call("install", {"do": how})
    assert host.call("uninstall", {"do": ""}).status == 204
    wait_until(lambda: len(host.events("operation finished")) == 2, "both are over")
    assert host.events(HINT) == []


def test_without_a_kubeconfig_it_is_somebody_else_s_401(host: Host) -> None:
    """The host has given no credentials that could be refused."""
    (host.config / KUBECONFIG).unlink()
    assert host.call("install", {"do": "raise"}).status == 400
    assert host.call("install", {"do": "print and die"}).status == 400
    assert host.call("uninstall", {"do": ""}).status == 204
    assert host.events(HINT) == []
