"""Exceptions that a thread which a hook has left behind throws into the host's own code."""

from __future__ import annotations

import pytest
from support.faults import given, prompt_health, tell, wait_for_file
from support.host import StartHost


@pytest.mark.parametrize("how", ["interrupt", "throw", "kill", "often"])
def test_the_next_operation_runs_in_a_fresh_process(start_host: StartHost, how: str) -> None:
    """What was thrown between two operations fails neither; the hook is called once."""
    host = start_host("throws_later")
    host.wait_for("plugin loaded")
    runner = host.runner
    reply = host.call("install", {"how": how})
    assert reply.status == 201
    tell(host, "now")
    wait_for_file(host, "thrown")
    slept = host.call("sleep", reply.json)
    assert slept.status == 200, slept.text
    assert slept.json == {"how": how, "install": 1, "sleep": 1}
    assert prompt_health(host).status == 200
    assert [name for name, _ in given(host)] == ["install", "sleep"]
    assert host.runner != runner
    assert host.events("operation finished")[-1]["outcome"] == "succeeded"


def test_a_plugin_that_throws_after_each_load_is_given_up(start_host: StartHost) -> None:
    """Its process is started thrice; then the reason says what it does."""
    host = start_host("throws_later", THROWS_AT_ONCE=1)
    host.wait_for("the plugin cannot be used")
    message = prompt_health(host).json["message"]
    assert message == (
        "the plugin's process ends soon after the plugin was loaded: a thread of the plugin throws"
        " exceptions into it"
    )
