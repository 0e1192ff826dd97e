"""Asleep and awake: nothing is lost across the edge."""

from __future__ import annotations

import http.client
import os
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor

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
)
from support.host import Host, StartHost
from support.processes import tree, wait_until

OURS = "shop.forkspacer-system.svc.cluster.local"
OTHER = "blog.forkspacer-system.svc.cluster.local"


def asleep(host: Host, seconds: float = 5) -> None:
    """Wait until only the keeper is there."""
    wait_until(host.is_asleep, "the host is asleep", seconds)


def test_only_the_keeper_is_left_after_the_idle_time(start_host: StartHost) -> None:
    """With MODULE_IDLE=1, within three seconds of the last call, but not before its time."""
    host = start_host("good", MODULE_IDLE=1)
    assert host.call("install", {}).status == 201
    ended = time.monotonic()
    assert len(tree(host.keeper)) == 4
    asleep(host, 3)
    assert time.monotonic() - ended >= 0.9
    assert host.survivors() == [host.keeper]


def test_the_next_call_wakes_it(start_host: StartHost) -> None:
    """It is answered like any other; uptime counts from the keeper's start."""
    host = start_host("good", MODULE_IDLE=0.2)
    metadata = host.call("install", {}).json
    asleep(host)
    began = time.monotonic()
    reply = host.health()
    assert time.monotonic() - began < PROMPT
    assert reply.status == 200
    assert reply.json["uptime"] > 0.2
    asleep(host)
    assert calling(host, "sleep", metadata).result(PROMPT).json == {"install": 1, "sleep": 1}


def test_the_journal_survives(start_host: StartHost) -> None:
    """What a failed operation left is there after the host has slept."""
    host = start_host("raises", RAISES="ValueError", MODULE_IDLE=0.2)
    assert host.call("install", {}).status == 400
    asleep(host)
    uninstalls_with(host, {"install": 1, "half": "done"})


def test_the_module_s_name_survives(start_host: StartHost) -> None:
    """A call for another module is refused after the host has slept, too."""
    host = start_host("good", MODULE_IDLE=0.2)
    assert host.call("install", {}, Host=OURS).status == 201
    asleep(host)
    reply = host.call("sleep", {"install": 1}, Host=OTHER)
    assert reply.status == 400
    assert "shop.forkspacer-system" in reply.text
    assert "blog.forkspacer-system" in reply.text
    asleep(host)
    assert host.call("sleep", {"install": 1}, Host=OURS).status == 200


def test_that_a_hook_was_entered_survives(start_host: StartHost) -> None:
    """An uninstall is not waved through because the host has slept."""
    host = start_host("raises_on_import", MODULE_IDLE=0.2)
    tell(host, "well")
    assert host.call("install", {}).status == 201
    (host.folder / "well").unlink()
    asleep(host)
    assert host.call("uninstall", {}).status == 400


@pytest.mark.slow
def test_calls_around_the_edge_are_all_answered(start_host: StartHost) -> None:
    """A hundred calls at random moments around the one when it falls asleep."""
    host = start_host("good", MODULE_IDLE=0.15)
    chance = random.Random(7)
    for _ in range(10):
        pause = 0.1 + chance.random() * 0.3
        moments = [pause + chance.random() * 0.1 for _ in range(10)]
        with ThreadPoolExecutor(10) as pool:
            replies = list(pool.map(lambda seconds: _call_after(host, seconds), moments))
        assert replies == [200] * 10
    assert len(host.events("operation finished")) == 100
    assert len(host.events("asleep")) > 0


def _call_after(host: Host, seconds: float) -> int:
    time.sleep(seconds)
    while True:
        reply = host.call("resume", {})
        # four wait at most; who is refused comes again
        if reply.status != 400 or not reply.text.startswith("busy"):
            return reply.status


@pytest.mark.slow
def test_a_client_that_comes_back_at_the_edge_is_answered(start_host: StartHost) -> None:
    """Again and again just when the host has fallen asleep, or is about to."""
    host = start_host("good", MODULE_IDLE=0.1)
    metadata: dict[str, int] = {}
    pause = 0.2
    for _ in range(10):
        reply = host.call("resume", metadata)
        assert reply.status == 200
        metadata = reply.json
        time.sleep(pause)
        # looks for the very moment: longer while it is awake, shorter once it is not
        pause += -0.03 if host.is_asleep() else 0.02
    assert metadata == {"resume": 10}


def test_an_operation_keeps_it_awake(start_host: StartHost) -> None:
    """However long it takes."""
    host = start_host("waits", MODULE_IDLE=0.2)
    install = calling(host, "install", {})
    is_running(host)
    front = host.front
    time.sleep(1)
    assert host.front == front
    tell(host, "go")
    assert install.result().status == 201
    asleep(host)


def test_an_operation_without_a_client_keeps_it_awake(start_host: StartHost) -> None:
    """An uninstall whose client has hung up goes on to its end."""
    host = start_host("waits", MODULE_IDLE=0.2, MISBEHAVE_IN="uninstall")
    with host.connect() as client:
        client.sendall(b"POST /uninstall HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        is_running(host, "uninstall")
    time.sleep(0.8)
    tell(host, "go")
    assert host.wait_for("operation finished")["outcome"] == "succeeded"
    asleep(host)


def test_an_open_connection_keeps_it_awake(start_host: StartHost) -> None:
    """A client that keeps its connection finds it open."""
    host = start_host("good", MODULE_IDLE=0.2)
    connection = http.client.HTTPConnection("127.0.0.1", host.port)
    for _ in range(3):
        connection.request("POST", "/resume", b"{}")
        assert connection.getresponse().read() == b'{"resume":1}\n'
        time.sleep(0.5)
    assert not host.events("asleep")
    connection.close()
    asleep(host)


def test_an_unusable_state_directory_keeps_it_awake(start_host: StartHost) -> None:
    """What is in memory only would be lost."""
    host = start_host("good", MODULE_IDLE=0.2, MODULE_STATE_DIR="/dev/null/state")
    metadata = host.call("install", {}).json
    time.sleep(1)
    assert not host.is_asleep()
    assert not host.events("asleep")
    assert host.call("sleep", metadata).status == 200


def test_without_an_idle_time_it_never_sleeps(start_host: StartHost) -> None:
    """MODULE_IDLE=0 means never."""
    host = start_host("good", MODULE_IDLE=0)
    host.call("install", {})
    time.sleep(1)
    assert not host.events("asleep")


def test_a_plugin_that_does_not_load_lets_it_sleep(start_host: StartHost) -> None:
    """And is tried again when the host wakes."""
    host = start_host("raises_on_import", MODULE_IDLE=0.2)
    assert host.call("install", {}).status == 400
    asleep(host)
    tell(host, "well")
    assert host.call("install", {}).json == {"install": 1}


def test_children_of_the_plugin_do_not_outlive_the_day(start_host: StartHost) -> None:
    """What a successful operation has started is gone once the host is asleep."""
    host = start_host("forks_children", THEN="return", MODULE_IDLE=0.2)
    assert host.call("install", {}).status == 201
    asleep(host)
    wait_until(lambda: host.survivors() == [host.keeper], "only the keeper is left")
    assert given(host) == [("install", {})]


@pytest.mark.slow
def test_deaths_between_naps_are_no_failure_to_start(start_host: StartHost) -> None:
    """Each time it had been awake but shortly; the next call is served at once all the same."""
    host = start_host("good", MODULE_IDLE=0.2)
    for _ in range(4):
        assert host.call("resume", {}).status == 200
        arbiter, front = host.arbiter, host.front
        os.kill(arbiter, signal.SIGKILL)
        gone(arbiter)
        gone(front)
        assert host.call("resume", {}).status == 200
        asleep(host)


@pytest.mark.parametrize("asked", ["/health", "/nothing"])
def test_any_request_wakes_it(start_host: StartHost, asked: str) -> None:
    """Probes and wrong paths are answered, too."""
    host = start_host("good", MODULE_IDLE=0.2)
    asleep(host)
    assert host.request("GET", asked).status in (200, 404, 503)
    prompt_health(host)
