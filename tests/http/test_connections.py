"""Clients that are slow, stuck, silent or many: all others are served meanwhile."""

from __future__ import annotations

import contextlib
import http.client
import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.crowds import clients, descriptors, impatient
from support.host import Host, StartHost
from support.wire import Wire, assert_failure, chunked, head, post

from modulehost.front import gunicorn

SOON = 2.0
"""Seconds within which others are served: the promise is one, but the machine may be busy."""

IMPATIENT = impatient(1.0)

BOUND = 5.0
"""Seconds within which the impatient host must have ended what took too long."""


def assert_others_are_served(host: Host) -> None:
    """A question and a call, each answered soon."""
    began = time.monotonic()
    assert host.health().status == 200
    assert time.monotonic() - began < SOON
    began = time.monotonic()
    assert host.call("install", {"a": 1}).status == 201
    assert time.monotonic() - began < SOON


def test_an_idle_connection_can_be_used_again(host: Host) -> None:
    """Go's client keeps idle connections for 90 s; gunicorn's own default would be 2."""
    assert gunicorn.keepalive > 90
    assert "keepalive" in gunicorn.__all__
    connection = http.client.HTTPConnection("127.0.0.1", host.port, timeout=10)
    with contextlib.closing(connection):
        connection.request("POST", "/install", b'{"a": 1}')
        assert connection.getresponse().read() == b'{"a":1,"install":1}\n'
        sock = connection.sock
        time.sleep(3)  # the time itself is what this is about
        connection.request("POST", "/sleep", b'{"a": 2}')
        assert connection.getresponse().read() == b'{"a":2,"sleep":1}\n'
        assert connection.sock is sock


@pytest.mark.parametrize(
    "data",
    [
        b"POST",
        b"POST /install HTTP/1.1\r\nHost: local",
        post("/install", b"{", length=100),
        chunked("/install", b"64\r\n{", end=b""),
    ],
    ids=["request line", "head", "body", "chunk"],
)
def test_sixty_clients_that_hang_hold_up_nobody(host: Host, data: bytes) -> None:
    """Half a head or half a body each takes a thread, and there are enough."""
    with clients(host, 60, data):
        assert_others_are_served(host)


def test_more_silent_connections_than_threads_hold_up_nobody(host: Host) -> None:
    """The kernel keeps those that have sent nothing to itself."""
    with clients(host, gunicorn.threads + 100):
        assert_others_are_served(host)


def test_clients_that_do_not_close_after_an_error_hold_up_nobody(host: Host) -> None:
    """gunicorn lingers for up to two seconds for each: not on the thread that serves all."""
    with clients(host, 10, b"nonsense\r\n\r\n") as wires:
        for wire in wires:
            assert_failure(wire.answer())
        assert_others_are_served(host)


def test_clients_that_want_a_close_and_do_not_close_hold_up_nobody(host: Host) -> None:
    """The same after answers that are good."""
    with clients(host, 10, head("GET", "/health", "Connection: close")) as wires:
        for wire in wires:
            assert wire.answer().status == 200
        assert_others_are_served(host)


@pytest.fixture
def many_files() -> Iterator[None]:
    """Enough descriptors for the test and for the hosts that it starts."""
    with descriptors(2500):
        yield


def test_eleven_hundred_idle_connections_hold_up_nobody(
    many_files: None, start_host: StartHost
) -> None:
    """Kept alive and idle; new clients are served, and so are the old ones when they return."""
    del many_files
    host = start_host("good")
    ask = head("GET", "/health")
    with clients(host, 1100, ask) as wires:
        assert all(wire.answer().status == 200 for wire in wires)
        assert_others_are_served(host)
        for wire in (wires[0], wires[500], wires[-1]):
            wire.send(ask)
            assert wire.answer().status == 200


def drip(wire: Wire, data: bytes, seconds: float) -> float:
    """Send a byte every twentieth of a second until there is an answer; how long that took."""
    began = time.monotonic()
    for byte in data:
        wire.send(bytes([byte]))
        if select.select([wire.socket], [], [], 0.05)[0]:
            return time.monotonic() - began
        assert time.monotonic() - began < seconds, "the host has been patient for too long"
    raise AssertionError("all was sent")


def test_a_head_that_drips_in_is_bounded_as_a_whole(start_host: StartHost) -> None:
    """However steadily the bytes come: the connection is closed, without an answer."""
    host = start_host("good", command=IMPATIENT)
    with Wire(host) as wire:
        took = drip(wire, b"GET /health HTTP/1.1\r\n" + b"X: 1\r\n" * 200, BOUND)
        assert took > 0.9
        assert wire.closed()
    assert_others_are_served(host)


@pytest.mark.parametrize("kind", ["length", "chunks"])
def test_a_body_that_drips_in_is_bounded_as_a_whole(start_host: StartHost, kind: str) -> None:
    """The same for the body, which has a time of its own: 400, and the plugin is not called."""
    host = start_host("good", command=IMPATIENT)
    chunks = chunked("/install", b"3e8\r\n", end=b"")
    with Wire(host, post("/install", length=1000) if kind == "length" else chunks) as wire:
        assert drip(wire, b" " * 999, BOUND) > 0.9
        assert_failure(wire.answer(), "the body ended")
        assert wire.closed()
    assert not host.events("operation started")


def test_an_answer_that_is_not_taken_is_bounded(start_host: StartHost) -> None:
    """The next operation waits for that only as long, and gets what the client never did."""
    most = int(Path("/proc/sys/net/ipv4/tcp_wmem").read_text().split()[2])
    limits = {"MODULE_MAX_BODY": 3 * most, "MODULE_MAX_METADATA": 3 * most}
    host = start_host("good", command=IMPATIENT, **limits)
    body = b'{"a":"%b"}' % (b"x" * (2 * most))
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        sock.connect(("127.0.0.1", host.port))
        sock.sendall(post("/install", body))
        host.wait_for("operation finished")
        began = time.monotonic()
        reply = host.request("POST", "/sleep", body)
        assert time.monotonic() - began < BOUND
        assert (reply.json["install"], reply.json["sleep"]) == (1, 1)


def test_an_operation_may_last_longer_than_a_client_may_take(start_host: StartHost) -> None:
    """The bounds are on what clients do, not on what they wait for."""
    host = start_host("obedient", command=IMPATIENT)
    assert host.call("install", {"seconds": 1.5}).json == {"seconds": 1.5}


def test_clients_that_hang_do_not_keep_the_host_awake(start_host: StartHost) -> None:
    """Silent, in the head, in the body: after their time the host falls asleep all the same."""
    host = start_host("good", command=IMPATIENT, MODULE_IDLE=1)
    half = post("/install", b"{", length=9)
    with clients(host, 3), clients(host, 3, b"POST /inst"), clients(host, 3, half):
        host.wait_for("asleep")
        assert host.is_asleep()
    assert host.call("install", {"a": 1}).status == 201


def test_an_idle_connection_does_not_keep_the_host_awake_for_good(start_host: StartHost) -> None:
    """When its time is over it is closed, and the host falls asleep."""
    short = (
        "import modulehost.front.gunicorn as g; g.keepalive = 1\n"
        "from modulehost.keeper.serve import main; raise SystemExit(main([]))"
    )
    host = start_host("good", command=("-c", short), MODULE_IDLE=1)
    with Wire(host, head("GET", "/health")) as wire:
        assert wire.answer().status == 200
        assert wire.closed()
        host.wait_for("asleep")
        assert host.is_asleep()
