"""What a module has made is found again, wherever its process has ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support import site
from support.host import StartHost

from modulehost.plugin.discovery import Found
from modulehost.testing.checks import Checks

KEY = "modulehost"


def things(folder: Path) -> set[str]:
    """What the plugin has made and not removed."""
    return {path.name for path in (folder / "things").glob("*")}


def test_what_was_made_is_in_the_answer_oldest_first(start_host: StartHost) -> None:
    """Under one key, with what was noted before the block and in it; a second install adopts."""
    host = start_host("keeps_ledger")
    reply = host.call("install", {"other": 1})
    assert reply.json == {
        "other": 1,
        KEY: {
            "created": [
                {
                    "kind": "thing",
                    "name": name,
                    "confirmed": True,
                    "details": {"size": len(name), "id": f"{name}-1"},
                }
                for name in ("database", "cache", "web")
            ]
        },
    }
    assert host.call("install", reply.json).json == reply.json
    assert host.call("uninstall", reply.json).status == 204
    assert (host.folder / "created").read_text() == "thing web\nthing cache\nthing database"
    assert things(host.folder) == set()


@pytest.mark.parametrize("how", ["die", "fail"])
def test_what_was_half_made_is_known_to_uninstall(start_host: StartHost, how: str) -> None:
    """The operator has stored nothing of it, and the process may be killed in the block."""
    host = start_host("keeps_ledger")
    (host.folder / "fault").write_text(how)
    assert host.call("install", {}).status == 400
    assert things(host.folder) == {"database", "cache"}
    assert host.call("uninstall", {}).status == 204
    told = (host.folder / "created").read_text()
    assert told == "thing cache (unconfirmed)\nthing database"
    assert things(host.folder) == set()


def test_an_uninstall_that_leaves_things_in_the_ledger_is_told(start_host: StartHost) -> None:
    """It succeeds, for the plugin says so; who reads the log knows what to look for."""
    host = start_host("keeps_ledger")
    metadata = host.call("install", {}).json
    (host.folder / "fault").write_text("forget")
    assert host.call("uninstall", metadata).status == 204
    [line] = host.events("uninstall has left things behind")
    assert line["things"] == ["thing web", "thing cache", "thing database"]


def test_what_is_no_ledger_is_refused_with_the_path(start_host: StartHost) -> None:
    """Somebody has changed the metadata by hand; nothing is made that nobody would remove."""
    host = start_host("keeps_ledger")
    wrongs: list[Any] = [{"created": "none"}, [], {"created": [{"kind": "thing"}]}]
    for wrong in wrongs:
        reply = host.call("install", {KEY: wrong})
        assert reply.status == 400
        assert reply.text.startswith('metadata["modulehost"] is not as the host left it')
    assert things(host.folder) == set()


def test_health_has_no_ledger(start_host: StartHost) -> None:
    """The health hook is given no metadata; the message says so."""
    host = start_host("keeps_ledger")
    assert host.health().json["message"] == (
        "created: health has no metadata; use it in an operation"
    )


@pytest.mark.slow
@pytest.mark.parametrize("how", ["", "forget"])
def test_the_check_that_kills_knows_the_ledger(tmp_path: Path, how: str) -> None:
    """Killed at each note nothing is left; a plugin that leaves things in it fails, by name."""
    site.install(tmp_path / "site", "keeps_ledger")
    (tmp_path / "fault").write_text(how)
    checks = Checks.of_plugin(
        Found("keeps_ledger", "keeps_ledger:Manager", "test-keeps-ledger", "1.0", ""),
        tmp_path / "hosts",
        settings={"PYTHONPATH": tmp_path / "site", "TEST_FOLDER": tmp_path},
        leftovers=lambda _: things(tmp_path),
    )
    checks.select(only=["killed"])
    with checks:
        [result] = [checks.run(check) for check in checks.selected]
    left = "thing web in the ledger, thing cache in the ledger, thing database in the ledger"
    reason = f"after a whole life there is still {left}"
    assert result.reason == (reason if how else "")
