"""An uninstall that is refused leaks the pod: it is refused only when something may be left."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest
from support.host import StartHost
from support.wire import assert_failure, operations

NOTHING = "uninstall with nothing to clean up"


class Fault(NamedTuple):
    """A host whose plugin cannot be called, and a part of the reason."""

    plugins: tuple[str, ...]
    settings: dict[str, Any]
    reason: str


FAULTS = {
    "unknown plugin": Fault(
        (), {"MODULE_PLUGIN": "nobody"}, "MODULE_PLUGIN=nobody: no such plugin"
    ),
    "several plugins": Fault(("good", "obedient"), {}, "several plugins are installed"),
    "fails on import": Fault(("raises_on_import",), {}, "importing raises_on_import failed"),
    "dies on import": Fault(("dies_on_import",), {}, "died while the plugin was loaded"),
    "hangs on import": Fault(
        ("hangs_on_import",), {"MODULE_DEADLINE": 1}, "did not load within 1 s"
    ),
    "lacks a hook": Fault(("missing_hook",), {}, "is missing"),
    "bad setting": Fault(("good",), {"MODULE_DEADLINE": "soon"}, "MODULE_DEADLINE='soon'"),
    "bad config": Fault(("configured",), {"config": {"appName": 1}}, "appName: it takes text"),
}
"""Each of the ways in which an operation cannot even be begun."""


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_an_uninstall_with_nothing_to_clean_up_succeeds(
    start_host: StartHost, fault: Fault
) -> None:
    """204 and a warning with the reason: the pod can go. Refused as soon as there is metadata."""
    host = start_host(*fault.plugins, **fault.settings)
    assert_failure(host.call("install"), fault.reason)
    assert_failure(host.call("uninstall", {"a": 1}), fault.reason)
    reply = host.call("uninstall", {}, **{"X-Request-Id": "the-last"})
    assert (reply.status, reply.body) == (204, b"")
    warning = host.wait_for(NOTHING)
    assert (warning["level"], warning["request_id"]) == ("warning", "the-last")
    assert fault.reason in warning["reason"]
    assert host.call("uninstall").status == 204
    assert len(host.events(NOTHING)) == 2


BROKEN_LATER = ["fails on import", "bad setting"]


@pytest.mark.parametrize("fault", [FAULTS[name] for name in BROKEN_LATER], ids=BROKEN_LATER)
def test_an_uninstall_after_a_hook_was_entered_needs_the_plugin(
    start_host: StartHost, tmp_path: Path, fault: Fault
) -> None:
    """The operator may have lost the metadata: ``{}`` no longer says that nothing is left."""
    state = tmp_path / "state"
    before = start_host("good", MODULE_STATE_DIR=state)
    assert before.call("install").status == 201
    assert before.stop() == 0
    host = start_host(*fault.plugins, MODULE_STATE_DIR=state, **fault.settings)
    assert_failure(host.call("uninstall"), fault.reason)
    assert host.stop() == 0
    mended = start_host("good", MODULE_STATE_DIR=state)
    assert mended.call("uninstall").status == 204
    assert operations(mended) == 1


def test_a_failed_install_counts_as_entered(start_host: StartHost) -> None:
    """Nobody knows how far it came."""
    host = start_host("obedient")
    assert_failure(host.call("install", {"fail": "no"}), "no")
    (host.config / "config.json").write_text("{")
    assert_failure(host.call("uninstall"), "is not JSON")
    assert not host.events(NOTHING)


def test_after_a_successful_uninstall_nothing_is_left(start_host: StartHost) -> None:
    """The next uninstall with ``{}`` succeeds even if the plugin can no longer be called."""
    host = start_host("configured", config={"appName": "shop"})
    assert host.call("install").status == 201
    (host.config / "config.json").write_text("{")
    assert_failure(host.call("uninstall"), "is not JSON")
    (host.config / "config.json").write_text('{"appName": "shop"}')
    assert host.call("uninstall").status == 204
    (host.config / "config.json").write_text("{")
    assert host.call("uninstall").status == 204
    assert host.events(NOTHING)


def test_a_plugin_that_is_well_is_called_with_nothing(start_host: StartHost) -> None:
    """Uninstall with ``{}`` is no shortcut: there may be what the metadata does not tell of."""
    host = start_host("good")
    for count in (1, 2):
        assert host.call("uninstall").status == 204
        assert operations(host) == count
    assert not host.events(NOTHING)
