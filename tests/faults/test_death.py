"""Processes that die: the plugin's by its own hand, and any of the host's by kill -9."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import pytest
from support.faults import (
    PROMPT,
    calling,
    given,
    gone,
    is_running,
    prompt_health,
    tell,
    uninstalls_with,
    wait_for_file,
)
from support.host import Host, StartHost
from support.processes import alive, tree, wait_until

FAMILY = ("plain", "session", "orphan", "stubborn", "program")
DEATHS: list[tuple[str, dict[str, Any], str]] = [
    ("segfaults", {}, "SIGSEGV"),
    ("os_exits", {"EXIT_STATUS": 0}, "exit status 0"),
    ("os_exits", {"EXIT_STATUS": 3}, "exit status 3"),
    ("os_exits", {"EXIT_STATUS": 4}, "exit status 4"),
    ("kills_itself", {"WITH": "SIGKILL"}, "SIGKILL"),
    ("kills_itself", {"WITH": "SIGTERM"}, "SIGTERM"),
    ("kills_itself", {"WITH": "SIGABRT"}, "SIGABRT"),
    ("kills_itself", {"WITH": "SIGRTMIN"}, "SIGRTMIN"),
    ("forks_children", {"THEN": "die"}, "SIGSEGV"),
]


@pytest.mark.parametrize(("plugin", "settings", "how"), DEATHS)
def test_a_plugin_that_dies_fails_its_operation(
    start_host: StartHost, plugin: str, settings: dict[str, Any], how: str
) -> None:
    """400 that says how it died; a new process serves the next call, with what was kept."""
    host = start_host(plugin, **settings)
    host.wait_for("plugin loaded")
    before = host.arbiter, host.front
    reply = host.call("install", {})
    assert (reply.status, reply.text) == (
        400,
        f"the plugin's process died during install: {how}\n",
    )
    prompt_health(host)
    uninstalls_with(host, {"install": 1})
    assert (host.arbiter, host.front) == before
    wait_until(lambda: len(host.survivors()) == 4, "nothing is left of the family")


def test_a_plugin_without_memory_fails_its_operation(start_host: StartHost) -> None:
    """400 at the limit of its own process; the next process has none."""
    host = start_host("eats_memory")
    reply = host.call("install", {})
    assert (reply.status, reply.text) == (400, "MemoryError\n")
    prompt_health(host)
    uninstalls_with(host, {"install": 1})


@pytest.mark.parametrize("then", ["return", "hang"])
def test_a_plugin_that_closes_its_connection_is_killed(start_host: StartHost, then: str) -> None:
    """400 that says so, long before the deadline; the next call gets what was kept."""
    host = start_host("closes_all_fds", THEN=then)
    install = calling(host, "install", {})
    reply = install.result(5)
    assert (reply.status, reply.text) == (
        400,
        "the plugin's process closed its connection to the host during install and was killed\n",
    )
    prompt_health(host)
    uninstalls_with(host, {"install": 1})


def test_a_plugin_may_put_files_in_the_place_of_its_output(start_host: StartHost) -> None:
    """The host's own connection is none of the three standard streams."""
    host = start_host("takes_over_fds")
    assert host.call("install", {}).json == {"install": 1}
    assert (host.folder / "printed").read_text() == "printed\n"
    assert prompt_health(host).status == 200
    uninstalls_with(host, {"install": 1}, sent={"install": 1})


def test_a_plugin_that_is_killed_leaves_the_last_copy_of_its_metadata(
    start_host: StartHost,
) -> None:
    """What it has written since its last checkpoint is there, up to half a second before."""
    host = start_host("ignores_cancellation")
    install = calling(host, "install", {})
    is_running(host)
    wait_until(lambda: kept(host).get("turns", 0) > 4, "a copy is in the journal")
    turns = kept(host)["turns"]
    os.kill(host.runner, signal.SIGKILL)
    reply = install.result(PROMPT)
    assert reply.status == 400
    assert reply.text == "the plugin's process died during install: SIGKILL\n"
    prompt_health(host)
    assert host.call("uninstall", {}).status == 204
    operation, metadata = given(host)[-1]
    assert (operation, metadata["install"]) == ("uninstall", 1)
    assert metadata["turns"] >= turns


def kept(host: Host) -> dict[str, Any]:
    """What the journal holds of the running operation's metadata."""
    outcome = json.loads(host.journal().left().text)
    assert isinstance(outcome, dict)
    return outcome


@pytest.mark.parametrize("who", ["front", "arbiter"])
def test_a_killed_server_ends_the_connection_and_is_there_again(
    start_host: StartHost, who: str
) -> None:
    """The client sees the end, the plugin's process goes too, and the journal is intact."""
    host = start_host("waits")
    install = calling(host, "install", {})
    is_running(host)
    runner = host.runner
    os.kill(getattr(host, who), signal.SIGKILL)
    assert isinstance(install.exception(PROMPT), ConnectionError)
    prompt_health(host)
    gone(runner)
    uninstalls_with(host, {"install": 1})
    assert not (host.folder / "cancelled").exists()


@pytest.mark.parametrize("who", ["front", "arbiter"])
def test_a_killed_server_takes_the_plugin_s_children_along(start_host: StartHost, who: str) -> None:
    """Nothing that the plugin has started outlives its process, in whatever session it is."""
    host = start_host("forks_children")
    install = calling(host, "install", {})
    family = [is_running(host)]
    family += [int(wait_for_file(host, name)) for name in FAMILY]
    assert all(alive(pid) for pid in family)
    os.kill(getattr(host, who), signal.SIGKILL)
    assert isinstance(install.exception(PROMPT), ConnectionError)
    for pid in family:
        gone(pid)
    prompt_health(host)
    uninstalls_with(host, {"install": 1})


@pytest.mark.parametrize("who", ["runner", "front", "arbiter"])
def test_a_death_while_nothing_runs_is_not_noticed(start_host: StartHost, who: str) -> None:
    """The next call is served at once, by another process, with the metadata that it brings."""
    host = start_host("good")
    metadata = host.call("install", {}).json
    host.wait_for("plugin loaded")
    pid, runner = getattr(host, who), host.runner
    os.kill(pid, signal.SIGKILL)
    gone(pid)
    assert calling(host, "sleep", metadata).result(PROMPT).json == {"install": 1, "sleep": 1}
    gone(runner)
    assert host.runner != runner


def test_whoever_dies_again_and_again_the_host_is_there(start_host: StartHost) -> None:
    """Deaths in a row, of all three, in no order: each time the next call is served."""
    host = start_host("good")
    metadata: dict[str, int] = {}
    for who in ("front", "arbiter", "runner", "arbiter", "front", "front", "arbiter"):
        reply = host.call("resume", metadata)
        assert reply.status == 200
        metadata = reply.json
        wait_until(lambda: len(tree(host.keeper)) == 4, "all four are there")
        front = host.front
        pid = getattr(host, who)
        os.kill(pid, signal.SIGKILL)
        gone(pid)
        if who != "runner":
            gone(front)
    assert host.call("resume", metadata).json == {"resume": 8}


def test_a_waiting_call_outlives_the_plugin_s_process(start_host: StartHost) -> None:
    """Who waits behind an operation whose process dies gets a turn with a new one."""
    host = start_host("waits")
    install = calling(host, "install", {})
    is_running(host)
    waiting = calling(host, "resume", {"resumes": True})
    os.kill(host.runner, signal.SIGKILL)
    install.result()
    assert waiting.result().json == {"resumes": True, "resume": 1}


def test_two_fronts_never_run_two_operations(start_host: StartHost) -> None:
    """SIGHUP replaces the front: the old one may finish, the new one waits and has its journal."""
    host = start_host("waits")
    install = calling(host, "install", {})
    is_running(host)
    front = host.front
    os.kill(host.arbiter, signal.SIGHUP)
    host.wait_for("plugin loaded", 2)
    resume = calling(host, "resume", {})
    wait_until(lambda: "resume running" in prompt_health(host).json["message"], "resume waits")
    assert [operation for operation, _ in given(host)] == ["install"]
    tell(host, "go")
    assert install.result().json == {"install": 1}
    assert resume.result().json == {"install": 1, "resume": 1}
    assert [operation for operation, _ in given(host)] == ["install", "resume"]
    gone(front)
