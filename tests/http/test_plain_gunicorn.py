"""``gunicorn -c gunicorn.conf.py modulehost.wsgi:app``: the host without its keeper."""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path

import pytest
from support.host import Host, StartHost
from support.processes import tree
from support.wire import Wire, assert_failure, exchange, head, post

from modulehost.front import gunicorn

CONFIG = Path(__file__).parents[2] / "gunicorn.conf.py"
GUNICORN = ("-m", "gunicorn", "-c", str(CONFIG), "modulehost.wsgi:app")


def live(host: Host) -> None:
    """A whole life."""
    metadata: dict[str, int] = {}
    for operation, status in (("install", 201), ("sleep", 200), ("resume", 200)):
        reply = host.call(operation, metadata)
        assert reply.status == status
        metadata = reply.json
    assert metadata == {"install": 1, "sleep": 1, "resume": 1}
    assert host.call("uninstall", metadata).status == 204


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_whole_life_and_a_clean_end(start_host: StartHost, number: signal.Signals) -> None:
    """The same calls with the same answers; exit status 0, and no process is left."""
    host = start_host("good", command=GUNICORN)
    live(host)
    assert host.health().json["healthy"] is True
    assert len(tree(host.process.pid)) == 3
    assert host.stop(number) == 0
    assert host.survivors() == []


def test_the_settings_of_the_package_are_taken(start_host: StartHost) -> None:
    """Our worker, our answers to what is no HTTP, our log."""
    host = start_host("good", command=GUNICORN, GUNICORN_CMD_ARGS="--log-level info")
    with Wire(host, b"nonsense\r\n\r\n") as wire:
        assert_failure(wire.answer())
    assert exchange(host, head("GET", "/nothing")).status == 404
    assert {event["logger"] for event in host.events() if "logger" in event} == {"gunicorn.error"}


def test_more_silent_connections_than_threads_hold_up_nobody(start_host: StartHost) -> None:
    """As under the keeper, which makes the listening socket there."""
    host = start_host("good", command=GUNICORN)
    with contextlib.ExitStack() as stack:
        for _ in range(gunicorn.threads + 100):
            stack.enter_context(Wire(host))
        assert host.health(timeout=2).status == 200


def test_it_never_sleeps(start_host: StartHost) -> None:
    """Nobody would wake it: an idle host ends no process."""
    host = start_host("good", command=GUNICORN, MODULE_IDLE="0.2")
    assert host.health().status == 200
    before = tree(host.process.pid)
    with Wire(host, post("/install", b"{", length=9)) as wire:
        wire.socket.settimeout(1)
        with pytest.raises(TimeoutError):
            wire.socket.recv(1)
    assert tree(host.process.pid) == before


@pytest.mark.parametrize(
    ("command", "settings", "reason"),
    [
        ((*GUNICORN, "--workers", "3"), {}, "--workers 3: a module has one worker"),
        (GUNICORN, {"GUNICORN_CMD_ARGS": "-k sync"}, "--worker-class sync: the host has its own"),
    ],
)
def test_a_mistake_is_served_as_the_reason(
    start_host: StartHost, command: tuple[str, ...], settings: dict[str, str], reason: str
) -> None:
    """As under the keeper."""
    host = start_host("good", command=command, **settings)
    assert_failure(host.call("install", {"a": 1}), reason)
    assert host.health().status == 503
