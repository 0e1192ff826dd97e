"""More calls than one: whose turn it is, who is refused, and clients that hang up."""

from __future__ import annotations

import contextlib
import json
import re
import select
import time
from collections.abc import Iterator
from typing import Any

import pytest
from support.faults import (
    PROMPT,
    calling,
    fill_queue,
    given,
    is_running,
    prompt_health,
    tell,
    uninstalls_with,
    wait_for_file,
)
from support.host import Host, StartHost
from support.processes import wait_until

GAVE_WAY = "gave way to uninstall\n"


@contextlib.contextmanager
def hanging_up(host: Host, operation: str, count: int = 1) -> Iterator[None]:
    """Clients that hang up at the end of the block; more than one are in the queue by then."""
    with contextlib.ExitStack() as stack:
        clients = []
        for _ in range(count + (count > 1)):
            client = stack.enter_context(host.connect())
            client.sendall(
                b"POST /%b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"
                % operation.encode()
            )
            clients.append(client)
        if count > 1:
            refused, _, _ = select.select(clients, (), (), 10)
            assert len(refused) == 1
            assert b"busy" in refused[0].recv(1000)
        yield


def test_the_second_waits_for_the_first(start_host: StartHost) -> None:
    """One operation at a time; who waits gets a turn and is answered like anybody."""
    host = start_host("waits")
    install = calling(host, "install", {})
    is_running(host)
    waiting = fill_queue(host, "resume")
    assert [operation for operation, _ in given(host)] == ["install"]
    prompt_health(host)
    tell(host, "go")
    assert install.result().status == 201
    for call in waiting:
        assert call.result().json == {"waits": True, "resume": 1}
    uninstalls_with(host, {"waits": True, "resume": 1}, sent={"waits": True, "resume": 1})


def test_four_wait_and_the_fifth_is_refused(start_host: StartHost) -> None:
    """400 that names what is running; there is room again when a turn has come."""
    host = start_host("waits")
    install = calling(host, "install", {})
    is_running(host)
    waiting = fill_queue(host, "sleep")
    for operation in ("install", "sleep", "resume"):
        reply = host.call(operation, {})
        assert (reply.status, reply.text) == (400, "busy: install is running\n")
    tell(host, "go")
    assert [call.result().status for call in (install, *waiting)] == [201, 200, 200, 200, 200]
    assert host.call("resume", {}).status == 200


def test_uninstall_cancels_what_runs_and_goes_next(start_host: StartHost) -> None:
    """However many wait: those get 400, and uninstall gets what the cancelled one left."""
    host = start_host("waits", MODULE_GRACE=60, WHEN_CANCELLED="tidy")
    install = calling(host, "install", {})
    is_running(host)
    waiting = fill_queue(host, "resume")
    uninstalls_with(host, {"install": 1, "tidied": True})
    reply = install.result()
    assert (reply.status, reply.text) == (400, "install was cancelled: uninstall was called\n")
    for call in waiting:
        assert (call.result().status, call.result().text) == (400, f"resume {GAVE_WAY}")
    assert [operation for operation, _ in given(host)] == ["install", "uninstall"]


def test_what_uninstall_has_cancelled_may_finish(start_host: StartHost) -> None:
    """Its success is its answer, and what it left is what uninstall gets."""
    host = start_host("waits", MODULE_GRACE=60, WHEN_CANCELLED="finish")
    install = calling(host, "install", {})
    is_running(host)
    uninstalls_with(host, {"install": 1, "finished": "all the same"})
    assert install.result().status == 201


def test_uninstall_has_nothing_killed_before_its_time(start_host: StartHost) -> None:
    """What ignores the cancellation has its own deadline and grace, and no less."""
    host = start_host("ignores_cancellation", MODULE_DEADLINE=1.5, MODULE_GRACE=0.5)
    host.wait_for("plugin loaded")
    began = time.monotonic()
    install = calling(host, "install", {})
    is_running(host)
    waiting = fill_queue(host, "resume")
    reply = host.call("uninstall", {})
    assert reply.status == 204
    assert 2 <= time.monotonic() - began < 2 + PROMPT
    assert install.result().text == "install did not finish within 1.5 s\n"
    assert {call.result().text for call in waiting} == {f"resume {GAVE_WAY}"}
    operation, metadata = given(host)[-1]
    assert (operation, metadata["install"]) == ("uninstall", 1)


def test_a_second_uninstall_waits_its_turn(start_host: StartHost) -> None:
    """The first one is not cancelled; each is answered; the fifth that would wait is refused."""
    host = start_host("waits", MISBEHAVE_IN="uninstall")
    first = calling(host, "uninstall", {})
    is_running(host, "uninstall")
    waiting = fill_queue(host, "uninstall")
    assert len(given(host)) == 1
    tell(host, "go")
    assert [call.result().status for call in (first, *waiting)] == [204] * 5
    assert not (host.folder / "cancelled").exists()


def test_what_comes_while_uninstall_runs_waits(start_host: StartHost) -> None:
    """Uninstall gives way to nobody."""
    host = start_host("waits", MISBEHAVE_IN="uninstall")
    uninstall = calling(host, "uninstall", {})
    is_running(host, "uninstall")
    waiting = fill_queue(host, "install")
    tell(host, "go")
    assert uninstall.result().status == 204
    assert [call.result().status for call in waiting] == [201] * 4


def test_who_hangs_up_leaves_the_queue(start_host: StartHost) -> None:
    """The plugin is not called for them, and others may wait in their place."""
    host = start_host("waits")
    install = calling(host, "install", {})
    is_running(host)
    with hanging_up(host, "resume", count=4):
        assert host.call("sleep").text == "busy: install is running\n"
    wait_until(lambda: len(left(host)) == 4, "the four have left")
    waiting = fill_queue(host, "sleep")
    tell(host, "go")
    assert install.result().status == 201
    assert [call.result().status for call in waiting] == [200] * 4
    assert "resume" not in [operation for operation, _ in given(host)]


def left(host: Host) -> list[dict[str, Any]]:
    """The calls that were given up while they waited."""
    reason = "the client hung up before the turn of resume"
    return [event for event in host.events("call refused") if event["reason"] == reason]


def test_an_uninstall_whose_client_hangs_up_stays_in_the_queue(start_host: StartHost) -> None:
    """It is never repeated, so it is done: now."""
    host = start_host("waits", MODULE_GRACE=60)
    install = calling(host, "install", {})
    is_running(host)
    with hanging_up(host, "uninstall"):
        assert install.result().text == "install was cancelled: uninstall was called\n"
    wait_until(lambda: len(given(host)) == 2, "uninstall runs")
    assert given(host)[-1] == ("uninstall", {"install": 1})


@pytest.mark.parametrize("operation", ["install", "sleep", "resume"])
def test_a_client_that_hangs_up_cancels_its_operation(
    start_host: StartHost, operation: str
) -> None:
    """As in Go, where the request's context ends; what it left is journaled."""
    host = start_host("waits", MODULE_GRACE=60, MISBEHAVE_IN=operation, WHEN_CANCELLED="tidy")
    with hanging_up(host, operation):
        is_running(host, operation)
    assert wait_for_file(host, "cancelled") == "the client hung up"
    event = host.wait_for("operation finished")
    assert event["outcome"] == "cancelled"
    assert event["reason"] == f"{operation} was cancelled: the client hung up"
    prompt_health(host)
    uninstalls_with(host, {operation: 1, "tidied": True})


def test_a_client_that_hangs_up_as_its_operation_begins_is_noticed(
    start_host: StartHost,
) -> None:
    """However early: before the turn, before the plugin is there, before the hook runs."""
    host = start_host("waits", MODULE_GRACE=60)
    for number in range(12):
        with hanging_up(host, "install"):
            time.sleep(number * 0.0015)
        ended = time.monotonic()
        wait_until(lambda: host.health().json["message"] == "Service is running", "it has ended")
        assert time.monotonic() - ended < 2 * PROMPT


def test_a_client_that_hangs_up_has_nothing_killed_before_its_time(
    start_host: StartHost,
) -> None:
    """What ignores the cancellation has its whole deadline and grace."""
    host = start_host("ignores_cancellation", MODULE_DEADLINE=1.2, MODULE_GRACE=0.5)
    host.wait_for("plugin loaded")
    began = time.monotonic()
    with hanging_up(host, "install"):
        is_running(host)
    event = host.wait_for("operation finished")
    assert event["reason"] == "install did not finish within 1.2 s"
    assert 1.7 <= time.monotonic() - began < 1.7 + PROMPT


def test_what_finishes_although_its_client_hung_up_is_journaled(start_host: StartHost) -> None:
    """It has succeeded, but the operator does not know: the next call is given its metadata."""
    host = start_host("waits", MODULE_GRACE=60, WHEN_CANCELLED="finish")
    with hanging_up(host, "install"):
        is_running(host)
    assert host.wait_for("operation finished")["outcome"] == "succeeded"
    assert prompt_health(host).status == 200
    uninstalls_with(host, {"install": 1, "finished": "all the same"})


def test_a_client_that_hangs_up_does_not_cancel_uninstall(start_host: StartHost) -> None:
    """Uninstall is never repeated: it goes on to its end."""
    host = start_host("waits", MISBEHAVE_IN="uninstall")
    assert host.call("install", {}).status == 201
    with hanging_up(host, "uninstall"):
        is_running(host, "uninstall")
    waiting = fill_queue(host, "resume")
    assert is_running(host, "uninstall")
    tell(host, "go")
    assert [call.result().status for call in waiting] == [200] * 4
    events = host.events("operation finished")
    assert [(e["operation"], e["outcome"]) for e in events[:2]] == [
        ("install", "succeeded"),
        ("uninstall", "succeeded"),
    ]
    assert not (host.folder / "cancelled").exists()


def test_health_tells_how_far_the_operation_is(start_host: StartHost) -> None:
    """The operation, its time, and the plugin's own words."""
    host = start_host("waits")
    install = calling(host, "install", {})
    is_running(host)

    def message() -> str:
        text = host.health().json["message"]
        assert isinstance(text, str)
        return text

    pattern = r"install running for \d+\.\d s: 2/3 replicas ready"
    wait_until(lambda: re.fullmatch(pattern, message()), "the health tells it")
    tell(host, "go")
    install.result()
    assert message() == "Service is running"
    assert json.loads(install.result().body) == {"install": 1}
