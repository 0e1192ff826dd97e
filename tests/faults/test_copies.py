"""Copies of the metadata while an operation runs: soon enough, and in order."""

from __future__ import annotations

import pytest
from support.faults import uninstalls_with
from support.host import StartHost


@pytest.mark.parametrize("after", [0.55, 0.7])
def test_what_was_written_half_a_second_ago_is_kept(start_host: StartHost, after: float) -> None:
    """Counted from the begin of the operation, wherever the look at the metadata then was."""
    host = start_host("dies_soon", DIES_AFTER=after)
    host.wait_for("plugin loaded")
    for number in range(3):
        body = {"number": number}
        reply = host.call("install", body)
        assert (reply.status, reply.text) == (
            400,
            "the plugin's process died during install: exit status 9\n",
        )
        uninstalls_with(host, {**body, "install": 1, "written": "at once"}, sent=body)


def test_a_late_copy_does_not_undo_a_newer_checkpoint(start_host: StartHost) -> None:
    """They come by two ways; each has a number, and the journal takes only newer ones."""
    host = start_host("delays_copies")
    assert host.call("install", {}).status == 400
    uninstalls_with(host, {"install": 1, "state": "new"})
