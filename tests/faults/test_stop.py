"""SIGTERM and SIGINT at every moment of a host's life: exit status 0, nobody left unanswered."""

from __future__ import annotations

import http.client
import os
import signal
import threading
import time
from concurrent.futures import Future
from pathlib import Path

import pytest
from support.faults import (
    PROMPT,
    calling,
    fill_queue,
    gone,
    is_running,
    prompt_health,
    tell,
    uninstalls_with,
    wait_for_file,
)
from support.host import Host, Reply, StartHost
from support.processes import wait_until

STOPPING = "the host is stopping"
LINGER = 2.0
"""Seconds for which gunicorn keeps idle connections while it stops: a request may be on its way."""

both_signals = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])


def stop(host: Host, number: int = signal.SIGTERM, *, within: float = PROMPT) -> None:
    """Stop the host: exit status 0, in time, and no process left."""
    began = time.monotonic()
    assert host.stop(number) == 0
    assert time.monotonic() - began < within
    assert host.survivors() == []


def stopping(host: Host) -> threading.Thread:
    """Have the host stop in another thread, to look at it meanwhile; returns when it is told."""
    thread = threading.Thread(target=host.process.wait)
    host.process.send_signal(signal.SIGTERM)
    thread.start()
    return thread


def again(host: Host) -> None:
    """Start the host once more, on the same state directory."""
    assert host.process.wait(PROMPT) == 0
    host.start().listening()


@both_signals
def test_from_the_first_moment(tmp_path: Path, number: int) -> None:
    """While keeper, arbiter, front and runner start one after the other."""
    for step in range(4):
        host = Host(tmp_path / f"{step}", "good")
        with host:
            time.sleep(step * 0.08)
            stop(host, number)


@both_signals
def test_from_the_first_moment_with_a_call_under_way(tmp_path: Path, number: int) -> None:
    """Whoever has connected is answered: with the result, or with the reason."""
    for step in range(4):
        host = Host(tmp_path / f"{step}", "good")
        with host:
            install = calling(host, "install", {})
            wait_until(lambda: connected(host), "the client is connected")  # noqa: B023
            time.sleep(step * 0.08)
            stop(host, number)
            reply = install.result()
            assert (reply.status, reply.text) in (
                (201, '{"install":1}\n'),
                (400, f"{STOPPING}\n"),
                (400, f"install was cancelled: {STOPPING}\n"),
            )


def connected(host: Host) -> bool:
    """Whether the kernel holds an established connection to the host."""
    port = f":{host.port:04X}"
    lines = Path("/proc/net/tcp").read_text().splitlines()
    return any(line.split()[2].endswith(port) and line.split()[3] == "01" for line in lines[1:])


def test_while_the_plugin_loads(start_host: StartHost) -> None:
    """The call that waits for the plugin is told that the host stops."""
    host = start_host("hangs_on_import", MODULE_GRACE=0.5)
    wait_for_file(host, "importing")
    install = calling(host, "install", {})
    wait_until(lambda: "install running" in host.health().json["message"], "install waits")
    stop(host, within=1 + PROMPT)
    reply = install.result()
    assert (reply.status, reply.text) == (400, f"install was cancelled: {STOPPING}\n")


@both_signals
def test_idle(start_host: StartHost, number: int) -> None:
    """After an operation, with nothing to do."""
    host = start_host("good")
    assert host.call("install", {}).status == 201
    stop(host, number)


def test_idle_with_open_connections(start_host: StartHost) -> None:
    """Clients that keep their connection hold up nothing."""
    host = start_host("good")
    connections = [http.client.HTTPConnection("127.0.0.1", host.port) for _ in range(20)]
    for connection in connections:
        connection.request("GET", "/health")
        connection.getresponse().read()
    silent = [host.connect() for _ in range(20)]
    stop(host, within=LINGER + PROMPT)
    for connection in connections:
        connection.close()
    for client in silent:
        client.close()


@both_signals
def test_asleep(start_host: StartHost, number: int) -> None:
    """When only the keeper is there."""
    host = start_host("good", MODULE_IDLE=0.2)
    wait_until(host.is_asleep, "the host is asleep")
    stop(host, number)


@pytest.mark.slow
def test_while_it_falls_asleep(tmp_path: Path) -> None:
    """At moments around the one when its time is over."""
    host = Host(tmp_path / "first", "good", MODULE_IDLE=0.2)
    with host:
        host.wait_for("plugin loaded")
        began = time.monotonic()
        wait_until(host.is_asleep, "the host is asleep")
        takes = time.monotonic() - began
        stop(host)
    for step in range(5):
        host = Host(tmp_path / f"{step}", "good", MODULE_IDLE=0.2)
        with host:
            host.wait_for("plugin loaded")
            time.sleep(max(0.0, takes - 0.15 + step * 0.05))
            stop(host)


def test_while_it_wakes_up(tmp_path: Path) -> None:
    """The call that has woken it is answered, with the result or the reason."""
    for step in range(5):
        host = Host(tmp_path / f"{step}", "good", MODULE_IDLE=0.1)
        with host:
            wait_until(host.is_asleep, "the host is asleep")
            install = calling(host, "install", {})
            wait_until(lambda: connected(host), "the client is connected")  # noqa: B023
            time.sleep(step * 0.05)
            stop(host)
            assert install.result().text in (
                '{"install":1}\n',
                f"{STOPPING}\n",
                f"install was cancelled: {STOPPING}\n",
            )


def test_an_operation_may_finish(start_host: StartHost) -> None:
    """Its answer goes out, and is what the next life of the host knows of."""
    host = start_host("waits")
    install = calling(host, "install", {})
    is_running(host)
    thread = stopping(host)
    time.sleep(0.2)
    assert not install.done()
    tell(host, "go")
    reply = install.result(PROMPT)
    assert (reply.status, reply.json) == (201, {"install": 1})
    thread.join(PROMPT)
    assert not (host.folder / "cancelled").exists()
    again(host)
    uninstalls_with(host, {"install": 1}, sent={"install": 1})


@pytest.mark.parametrize("how", ["tidy", "finish"])
def test_an_operation_that_takes_longer_is_cancelled(start_host: StartHost, how: str) -> None:
    """The answer goes out, and what it left is what the next life of the host knows of."""
    host = start_host("waits", MODULE_GRACE=0.5, WHEN_CANCELLED=how)
    install = calling(host, "install", {})
    is_running(host)
    stop(host, within=1 + PROMPT)
    reply = install.result()
    assert (host.folder / "cancelled").read_text() == STOPPING
    if how == "finish":
        left = {"install": 1, "finished": "all the same"}
        assert (reply.status, reply.json) == (201, left)
    else:
        left = {"install": 1, "tidied": True}
        assert (reply.status, reply.text) == (400, f"install was cancelled: {STOPPING}\n")
    again(host)
    uninstalls_with(host, left)


@pytest.mark.parametrize(
    "plugin", ["ignores_cancellation", "holds_the_gil", "forks_children", "runs_programs"]
)
def test_an_operation_that_does_not_stop_is_killed(start_host: StartHost, plugin: str) -> None:
    """After twice the grace; the answer goes out, and the metadata is journaled."""
    host = start_host(plugin, MODULE_GRACE=0.5)
    install = calling(host, "install", {})
    is_running(host)
    stop(host, within=1 + PROMPT)
    reply = install.result()
    assert (reply.status, reply.text) == (400, f"install was cancelled: {STOPPING}\n")
    again(host)
    assert host.call("uninstall", {}).status == 204


def test_in_the_grace_of_an_operation(start_host: StartHost) -> None:
    """What is past its deadline already is not waited for longer than anything else."""
    host = start_host("ignores_cancellation", MODULE_DEADLINE=0.5, MODULE_GRACE=1)
    host.wait_for("plugin loaded")
    install = calling(host, "install", {})
    is_running(host)
    time.sleep(0.6)
    stop(host, within=2 + PROMPT)
    reply = install.result()
    assert reply.status == 400
    assert reply.text == "install did not finish within 0.5 s\n"


@pytest.mark.slow
def test_the_longest_grace_is_bounded(start_host: StartHost) -> None:
    """Kubernetes kills after 30 s: MODULE_GRACE of an hour does not count then."""
    host = start_host("waits", MODULE_GRACE=3600, WHEN_CANCELLED="tidy")
    install = calling(host, "install", {})
    is_running(host)
    stop(host, within=10 + PROMPT)
    assert install.result().text == f"install was cancelled: {STOPPING}\n"


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_twice(start_host: StartHost, second: int) -> None:
    """The second signal changes nothing: the operation has its time."""
    host = start_host("waits")
    install = calling(host, "install", {})
    is_running(host)
    host.process.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    host.process.send_signal(second)
    time.sleep(0.2)
    assert not install.done()
    tell(host, "go")
    assert install.result(PROMPT).status == 201
    assert host.process.wait(PROMPT) == 0


def test_those_who_wait_are_told(start_host: StartHost) -> None:
    """400 for the whole queue, at once; the operation that runs may finish."""
    host = start_host("waits")
    install = calling(host, "install", {})
    is_running(host)
    waiting = fill_queue(host, "resume")
    thread = stopping(host)
    for call in waiting:
        reply = call.result(PROMPT)
        assert (reply.status, reply.text) == (400, f"{STOPPING}\n")
    tell(host, "go")
    assert install.result(PROMPT).status == 201
    thread.join(PROMPT)


def test_those_who_come_too_late_are_told(start_host: StartHost) -> None:
    """400 for whoever connects while the last operation finishes."""
    host = start_host("waits")
    install = calling(host, "install", {})
    is_running(host)
    waiting = fill_queue(host, "resume")
    thread = stopping(host)
    for call in waiting:
        call.result(PROMPT)
    late: list[Future[Reply]] = [calling(host, "sleep", {}) for _ in range(3)]
    wait_until(lambda: connected(host), "the clients are connected")
    time.sleep(0.1)
    tell(host, "go")
    assert install.result(PROMPT).status == 201
    for call in late:
        reply = call.result(PROMPT)
        assert (reply.status, reply.text) == (400, f"{STOPPING}\n")
    thread.join(PROMPT)
    assert host.process.wait(PROMPT) == 0


@pytest.mark.slow
def test_right_after_a_death(start_host: StartHost) -> None:
    """While the next one is being started: its first moments are no exception."""
    for step in range(6):
        host = start_host("good")
        host.wait_for("plugin loaded")
        pid = host.arbiter if step == 5 else host.front

        os.kill(pid, signal.SIGKILL)
        gone(pid)
        time.sleep(step * 0.001)
        stop(host)


def test_while_gunicorn_cannot_start(tmp_path: Path) -> None:
    """The keeper itself answers with the reason; it stops as ever."""
    host = Host(tmp_path, "good")
    (host.site / "gunicorn.py").write_text("raise RuntimeError('this installation is broken')\n")
    with host:
        reply = host.call("install", {})
        assert reply.status == 400
        assert "this installation is broken" in reply.text
        assert prompt_health(host).status == 503
        stop(host)
