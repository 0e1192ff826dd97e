"""Operations that do not end by themselves: deadline, grace, and what cannot be cancelled."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from support.faults import (
    PROMPT,
    calling,
    fill_queue,
    given,
    gone,
    is_running,
    prompt_health,
    uninstalls_with,
    wait_for_file,
)
from support.host import Host, StartHost
from support.processes import alive, wait_until

DEADLINE, GRACE = 1, 0.5
SHORT = {"MODULE_DEADLINE": DEADLINE, "MODULE_GRACE": GRACE}
IN_TIME = DEADLINE + GRACE + PROMPT
TOO_LATE = "install did not finish within 1 s\n"


def begin(host: Host) -> tuple[float, Any]:
    """Call install once the plugin is there; since when, and the call."""
    host.wait_for("plugin loaded")
    return time.monotonic(), calling(host, "install", {})


@pytest.mark.parametrize(
    ("plugin", "settings"),
    [
        ("holds_the_gil", {}),
        ("deadlocks", {}),
        ("blocks_in_read", {}),
        ("burns_a_core", {}),
        ("ignores_cancellation", {}),
        ("changes_signals", {"THEN": "hang"}),
    ],
)
def test_what_does_not_stop_is_killed(
    start_host: StartHost, plugin: str, settings: dict[str, str]
) -> None:
    """400 after deadline and grace, no sooner; health goes on; the next call gets what was kept."""
    host = start_host(plugin, **SHORT, **settings)
    began, install = begin(host)
    runner = is_running(host)
    reply = install.result(IN_TIME)
    assert (reply.status, reply.text) == (400, TOO_LATE)
    assert DEADLINE + GRACE <= time.monotonic() - began < IN_TIME
    gone(runner)
    prompt_health(host)
    assert host.call("uninstall", {}).status == 204
    operation, metadata = given(host)[-1]
    assert (operation, metadata["install"]) == ("uninstall", 1)


@pytest.mark.parametrize("how", ["stop", "tidy"])
def test_what_stops_when_it_is_told_is_not_killed(start_host: StartHost, how: str) -> None:
    """400 at the deadline; what it tidied up meanwhile is in the metadata of the next call."""
    host = start_host("waits", MODULE_DEADLINE=DEADLINE, MODULE_GRACE=60, WHEN_CANCELLED=how)
    began, install = begin(host)
    is_running(host)
    reply = install.result(IN_TIME)
    assert (reply.status, reply.text) == (400, TOO_LATE)
    assert time.monotonic() - began >= DEADLINE
    assert wait_for_file(host, "cancelled") == "its deadline passed"
    uninstalls_with(host, {"install": 1, **({"tidied": True} if how == "tidy" else {})})


def test_what_finishes_although_it_was_cancelled_has_succeeded(start_host: StartHost) -> None:
    """Its success is the answer, and what the next call gets when the answer was not kept."""
    host = start_host("waits", MODULE_DEADLINE=DEADLINE, MODULE_GRACE=60, WHEN_CANCELLED="finish")
    _, install = begin(host)
    is_running(host)
    reply = install.result(IN_TIME)
    assert (reply.status, reply.json) == (201, {"install": 1, "finished": "all the same"})
    uninstalls_with(host, reply.json)


def test_a_plugin_may_wish_for_another_deadline(start_host: StartHost) -> None:
    """Its own deadline counts where MODULE_DEADLINE says nothing."""
    host = start_host("hurries")
    _, install = begin(host)
    reply = install.result(IN_TIME)
    assert (reply.status, reply.text) == (400, "install did not finish within 0.5 s\n")
    assert host.call("uninstall", {}).status == 204
    assert 0 < given(host)[-1][1]["remaining"] <= 0.5


def test_the_operator_of_the_host_may_wish_for_another_deadline(start_host: StartHost) -> None:
    """MODULE_DEADLINE wins over the plugin's own."""
    host = start_host("hurries", MODULE_DEADLINE=1.5, MODULE_GRACE=60)
    _, install = begin(host)
    assert install.result(IN_TIME).text == "install did not finish within 1.5 s\n"


def test_a_deadline_ends_the_plugin_s_children(start_host: StartHost) -> None:
    """Forked once or twice, in their own session, deaf to signals: all are gone."""
    host = start_host("forks_children", **SHORT)
    _, install = begin(host)
    runner = is_running(host)
    names = ("plain", "session", "orphan", "stubborn", "program")
    family = [int(wait_for_file(host, name)) for name in names]
    assert all(alive(pid) for pid in family)
    assert install.result(IN_TIME).text == TOO_LATE
    for pid in (runner, *family):
        gone(pid)
    prompt_health(host)
    uninstalls_with(host, {"install": 1})


def test_a_failed_operation_ends_the_plugin_s_children(start_host: StartHost) -> None:
    """They go with the process that is replaced."""
    host = start_host("forks_children", THEN="raise")
    assert host.call("install", {}).text == "RuntimeError: enough\n"
    for name in ("plain", "session", "orphan", "stubborn", "program"):
        gone(int(wait_for_file(host, name)))
    prompt_health(host)
    uninstalls_with(host, {"install": 1})


def test_children_of_a_success_live_as_long_as_the_plugin_s_process(
    start_host: StartHost,
) -> None:
    """They are not taken from a plugin that has succeeded, but do not outlive the host."""
    host = start_host("forks_children", THEN="return")
    assert host.call("install", {}).status == 201
    family = [int(wait_for_file(host, name)) for name in ("plain", "session", "orphan", "program")]
    assert host.call("resume", {"install": 1}).status == 200
    assert all(alive(pid) for pid in family)
    assert host.stop() == 0
    assert not any(alive(pid) for pid in family)


@pytest.mark.parametrize("grace", [0.6, 60, 900_000_000])
def test_a_program_that_the_plugin_runs_ends_with_its_whole_group(
    start_host: StartHost, grace: float
) -> None:
    """``ctx.run`` ends what the program has started, too, what ignores SIGTERM included."""
    host = start_host("runs_programs", MODULE_DEADLINE=DEADLINE, MODULE_GRACE=grace)
    _, install = begin(host)
    is_running(host)
    children = [int(wait_for_file(host, name)) for name in ("tame", "stubborn")]
    host.wait_for("started")
    reply = install.result(IN_TIME)
    assert (reply.status, reply.text) == (400, TOO_LATE)
    for pid in children:
        gone(pid)
    prompt_health(host)
    uninstalls_with(host, {"install": 1, "running": True})


def test_what_a_plugin_prints_ends_up_in_lines(start_host: StartHost) -> None:
    """Megabytes become lines of at most 4096 bytes; what is too much is counted and dropped."""
    host = start_host("prints_megabytes", MEGABYTES=20)
    install = calling(host, "install", {})
    wait_for_file(host, "misbehaving")
    assert prompt_health(host).status == 200
    assert install.result().json == {"install": 1}
    assert resident(host.front) < 100 << 20
    uninstalls_with(host, {"install": 1}, sent={"install": 1})
    assert host.stop() == 0
    lines = (host.folder / "log").read_bytes().splitlines(keepends=True)
    assert max(len(line) for line in lines) <= 4096
    printed = [event for event in host.events() if "stream" in event]
    dropped = sum(event.get("dropped", 0) for event in printed)
    assert dropped > 0
    told = sum("dropped" in event for event in printed)
    # each MiB: lines of text, one without an end in pieces of 3000 bytes, and lines of no text
    assert len(printed) - told + dropped >= 20 * ((1 << 13) + (1 << 19) // 3000 + (1 << 12))


def resident(pid: int) -> int:
    """The most memory that a process has had, in bytes."""
    with open(f"/proc/{pid}/status") as file:  # noqa: PTH123
        line = next(line for line in file if line.startswith("VmHWM"))
    return int(line.split()[1]) << 10


def test_a_plugin_may_do_with_signals_as_it_likes(start_host: StartHost) -> None:
    """Whatever it ignores and blocks, its operation succeeds, and so does the next one."""
    host = start_host("changes_signals", THEN="return")
    assert host.call("install", {}).json == {"install": 1}
    assert prompt_health(host).status == 200
    uninstalls_with(host, {"install": 1}, sent={"install": 1})


@pytest.mark.slow
def test_however_often_health_is_asked_it_answers(start_host: StartHost) -> None:
    """A plugin that reads no question any more does not block those who ask."""
    host = start_host("holds_the_gil", MODULE_DEADLINE=6, MODULE_GRACE=0.1)
    _, install = begin(host)
    is_running(host)
    with ThreadPoolExecutor(90) as pool:
        for _ in range(4):
            asked = time.monotonic()
            replies = list(pool.map(lambda _: host.health(), range(90)))
            assert time.monotonic() - asked < 2 * PROMPT
            assert {reply.status for reply in replies} == {200}
    assert not install.done()
    assert install.result(10).text == "install did not finish within 6 s\n"


def test_a_cancellation_never_hits_the_next_operation(start_host: StartHost) -> None:
    """Clients hang up just as their operation ends; the next ones, of the same id, succeed."""
    host = start_host("paces")
    patience = 0.0
    for number in range(30):
        body = b'{"seconds": 0.04}'
        with socket.create_connection(("127.0.0.1", host.port)) as client:
            client.sendall(
                b"POST /install HTTP/1.1\r\nHost: x\r\nX-Request-Id: same\r\n"
                b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
            )
            wait_until((host.folder / "began-install").exists, "install runs")
            (host.folder / "began-install").unlink()
            time.sleep(patience)
        headers = {"X-Request-Id": "same"}
        reply = host.call("resume", {"seconds": 0.002, "number": number}, **headers)
        assert (reply.status, reply.json) == (200, {"seconds": 0.002, "number": number})
        # the edge is where one more step lets the operation finish
        was_cancelled = host.events("operation finished")[-2]["outcome"] == "failed"
        patience = patience + 0.004 if was_cancelled else max(0.0, patience - 0.002)
    outcomes = [event["outcome"] for event in host.events("operation finished")[::2]]
    assert outcomes.count("failed") > 2
    assert outcomes.count("succeeded") > 2


def test_an_operation_has_its_whole_deadline_whoever_came_before(start_host: StartHost) -> None:
    """Waiting for a turn does not count."""
    host = start_host("waits", MODULE_DEADLINE=3, MODULE_GRACE=60)
    began, install = begin(host)
    is_running(host)
    waiting = fill_queue(host, "resume")
    assert install.result(10).text == "install did not finish within 3 s\n"
    assert time.monotonic() - began >= 3
    assert [call.result().status for call in waiting] == [200] * 4
