"""Bad clients against a real host: crowds, drips, broken connections. Good ones are served."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import time
from collections.abc import Iterator

import pytest
from support.crowds import clients, descriptors, impatient
from support.faults import PROMPT
from support.host import Host, StartHost
from support.processes import wait_until
from support.wire import Wire, assert_failure, chunk, chunked, head, operations, post

from modulehost.front import clients as front_clients
from modulehost.front import gunicorn

pytestmark = pytest.mark.slow


IMPATIENT = impatient(2.0)

FEW_FILES = (
    "-c",
    "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (300, 300))\n"
    "from modulehost.keeper.serve import main; raise SystemExit(main([]))",
)
"""``modulehost serve`` with few descriptors."""

HALF_A_HEAD = b"POST /install HTTP/1.1\r\nHost: local"
HALF_A_BODY = post("/install", b"{", length=100)
HALF_A_CHUNK = chunked("/install", b"64\r\n{", end=b"")
NONSENSE = b"nonsense\r\n\r\n"
HEALTH = head("GET", "/health")
INSTALL = post("/install", b'{"a": 1}')


@pytest.fixture(autouse=True)
def many_files() -> Iterator[None]:
    """Enough for a test and for the hosts that it starts."""
    with descriptors(4096):
        yield


def front_of(host: Host) -> int:
    """The process that serves, once there is one."""
    host.wait_for("plugin loaded")
    return host.front


def good_clients_are_served(host: Host) -> None:
    """A question and a call, each promptly."""
    for method, path, body, status in (
        ("GET", "/health", None, 200),
        ("POST", "/install", b'{"a": 1}', 201),
    ):
        began = time.monotonic()
        assert host.request(method, path, body).status == status
        assert time.monotonic() - began < PROMPT


@pytest.mark.parametrize(
    "data",
    [HALF_A_HEAD, HALF_A_BODY, HALF_A_CHUNK, NONSENSE],
    ids=["head", "body", "chunk", "nonsense"],
)
def test_more_stuck_clients_than_threads_hold_up_nobody(start_host: StartHost, data: bytes) -> None:
    """The one that is waited for longest gives way; also those that do not close after a 400."""
    host = start_host("good")
    front = front_of(host)
    with clients(host, gunicorn.threads + 200, data):
        good_clients_are_served(host)
        good_clients_are_served(host)
    assert host.front == front


def test_crowds_that_come_back_hold_up_nobody(start_host: StartHost) -> None:
    """One crowd after the other, while those before are still there."""
    host = start_host("good")
    with contextlib.ExitStack() as stack:
        for data in (HALF_A_HEAD, HALF_A_BODY, NONSENSE, HALF_A_HEAD):
            stack.enter_context(clients(host, 250, data))
            good_clients_are_served(host)


def test_a_good_client_is_not_the_one_that_gives_way(start_host: StartHost) -> None:
    """An operation that runs while a crowd comes is neither cancelled nor cut off."""
    host = start_host("obedient")
    with Wire(host, post("/install", b'{"seconds": 1.5}')) as wire:
        host.wait_for("operation started")
        with clients(host, gunicorn.threads + 200, HALF_A_HEAD):
            began = time.monotonic()
            assert host.health().status == 200
            assert time.monotonic() - began < PROMPT
            reply = wire.answer()
    assert (reply.status, reply.json) == (201, {"seconds": 1.5})


@pytest.mark.parametrize("data", [b"", HEALTH], ids=["silent", "kept alive"])
def test_three_thousand_connections_hold_up_nobody(start_host: StartHost, data: bytes) -> None:
    """Half-open ones that never send a byte, and idle ones that were served before."""
    host = start_host("good")
    front = front_of(host)
    with clients(host, 3000, data) as wires:
        if data:
            assert all(wire.answer("GET").status == 200 for wire in wires)
        good_clients_are_served(host)
        for wire in (wires[0], wires[-1]):
            wire.send(HEALTH)
            assert wire.answer("GET").status == 200
    assert host.front == front


@pytest.mark.parametrize("data", [b"", HEALTH, HALF_A_HEAD, NONSENSE])
def test_more_connections_than_descriptors_hold_up_nobody(
    start_host: StartHost, data: bytes
) -> None:
    """A container may give few: the longest idle ones are closed, and the worker lives."""
    host = start_host("good", command=FEW_FILES)
    front = front_of(host)
    with clients(host, 500, data):
        good_clients_are_served(host)
        good_clients_are_served(host)
    assert host.front == front


def drip(wire: Wire, lines: bytes, pause: float) -> float:
    """Send a line after each pause until the host has had enough; how long that took."""
    began = time.monotonic()
    wire.socket.settimeout(pause)
    with contextlib.suppress(ConnectionResetError):
        while time.monotonic() - began < 10:
            wire.send(lines)
            try:
                wire.socket.recv(1, socket.MSG_PEEK)
            except TimeoutError:
                continue
            break  # an answer, or the end
    wire.socket.settimeout(10)
    return time.monotonic() - began


def test_headers_that_come_a_line_a_second_are_bounded_as_a_whole(start_host: StartHost) -> None:
    """The bound is on the head, not on each line: it is over in its time, without an answer."""
    host = start_host("good", command=IMPATIENT)
    with Wire(host, b"GET /health HTTP/1.1\r\n") as wire:
        assert 1.9 < drip(wire, b"X: 1\r\n", 0.9) < 5
        assert wire.closed()
    good_clients_are_served(host)


@pytest.mark.parametrize("kind", ["length", "chunks"])
def test_a_body_that_comes_a_byte_a_second_is_bounded_as_a_whole(
    start_host: StartHost, kind: str
) -> None:
    """The same for the body, in a time of its own: 400, and the plugin is not called."""
    host = start_host("good", command=IMPATIENT)
    slow = post("/install", length=1000) if kind == "length" else chunked("/install", end=b"")
    with Wire(host, slow) as wire:
        assert 1.9 < drip(wire, b" " if kind == "length" else b"1\r\n \r\n", 0.9) < 5
        assert_failure(wire.answer(), "the body ended")
        assert wire.closed()
    assert operations(host) == 0


def test_a_crowd_does_not_hold_up_the_end(start_host: StartHost) -> None:
    """SIGTERM does not wait half a minute for requests that are not there yet."""
    host = start_host("good")
    good_clients_are_served(host)
    with clients(host, 20, HALF_A_HEAD), clients(host, 20, HALF_A_BODY), clients(host, 20, HEALTH):
        began = time.monotonic()
        assert host.stop() == 0
        assert time.monotonic() - began < front_clients.LINGER + 1 + PROMPT


def test_no_bad_client_keeps_the_host_awake(start_host: StartHost) -> None:
    """Silent, dripping, stuck in the head, the body or the answer: then it sleeps, and wakes."""
    host = start_host("good", command=IMPATIENT, MODULE_IDLE=1)
    with (
        clients(host, 20),
        clients(host, 20, HALF_A_HEAD),
        clients(host, 20, HALF_A_BODY),
        clients(host, 20, HALF_A_CHUNK),
        clients(host, 20, NONSENSE),
        clients(host, 20, INSTALL + HALF_A_HEAD),
    ):
        wait_until(host.is_asleep, "the host is asleep", 15)
    good_clients_are_served(host)


def test_pipelined_requests_are_answered_in_order(start_host: StartHost) -> None:
    """Several requests in one piece, an uninstall without a body among them."""
    host = start_host("good")
    requests = [
        post("/install", b'{"a": 1}'),
        HEALTH,
        chunked("/sleep", chunk(b'{"b": 2}')),
        post("/uninstall", b'{"c": 3}'),
        post("/install", b"["),
        post("/resume", b'{"d": 4}'),
    ]
    with Wire(host, b"".join(requests)) as wire:
        assert wire.answer().json == {"a": 1, "install": 1}
        assert wire.answer("GET").json["healthy"] is True
        assert wire.answer().json == {"b": 2, "sleep": 1}
        assert wire.answer().status == 204
        assert_failure(wire.answer(), "JSON")
        assert wire.answer().json == {"d": 4, "resume": 1}
    assert operations(host) == 4


@pytest.mark.parametrize("garbage", [NONSENSE, b"\x00" * 100 + b"\r\n\r\n", b"{}{}{}\r\n\r\n"])
def test_garbage_after_a_request_is_refused_by_itself(
    start_host: StartHost, garbage: bytes
) -> None:
    """The request before has its answer; then 400, and the connection is closed."""
    host = start_host("good")
    with Wire(host, INSTALL + garbage + INSTALL) as wire:
        assert wire.answer().json == {"a": 1, "install": 1}
        assert_failure(wire.answer())
        assert wire.closed()
    assert operations(host) == 1
    good_clients_are_served(host)


def reset(sock: socket.socket) -> None:
    """Close the connection the hard way."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


@pytest.mark.parametrize("hard", [False, True], ids=["closed", "reset"])
def test_a_request_dropped_at_any_byte_calls_nobody(start_host: StartHost, hard: bool) -> None:
    """However much of it came: the plugin is not called, the next call is as if it were first."""
    host = start_host("good")
    front = front_of(host)
    for length in range(len(INSTALL)):
        sock = host.connect()
        sock.sendall(INSTALL[:length])
        reset(sock) if hard else sock.close()
    good_clients_are_served(host)
    assert operations(host) == 1
    assert host.events("operation started")[-1]["metadata"] == "as sent"
    assert host.front == front


def test_an_answer_dropped_at_any_byte_loses_nothing(start_host: StartHost) -> None:
    """The client that goes after so many bytes is sent the same next time: the plugin goes on."""
    host = start_host("good")
    front = front_of(host)
    with Wire(host, INSTALL) as wire:
        wire.socket.settimeout(10)
        whole = b""
        while not whole.endswith(b"}\n"):
            whole += wire.socket.recv(1)
    assert host.call("uninstall").status == 204
    for length in range(len(whole)):
        began = len(host.events("operation finished"))
        sock = host.connect()
        sock.sendall(INSTALL)
        host.wait_for("operation finished", began + 1)
        for _ in range(length):
            assert sock.recv(1)
        reset(sock)
        # the operator was never told, and calls with what it has
        reply = host.call("sleep", {"a": 1})
        assert reply.json == {"a": 1, "install": 1, "sleep": 1}, f"cut after {length} bytes"
        assert host.call("uninstall", {"a": 1, "install": 1, "sleep": 1}).status == 204
    assert host.front == front


def test_whoever_never_reads_is_waited_for_only_so_long(start_host: StartHost) -> None:
    """Hundreds of answers that nobody takes: the connection is ended, and the host falls asleep."""
    host = start_host("good", command=IMPATIENT, MODULE_IDLE=1)
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        sock.connect(("127.0.0.1", host.port))
        sock.settimeout(0.5)
        questions = head("GET", "/" + "x" * 4000) * 50
        with contextlib.suppress(TimeoutError, ConnectionError):
            while True:
                sock.sendall(questions)
        good_clients_are_served(host)
        wait_until(host.is_asleep, "the host is asleep", 15)
    good_clients_are_served(host)


LIMITS = {
    "a body": (post("/install", b'{"a":"%b"}' % (b"x" * 2000)), "1000 bytes of MODULE_MAX_BODY"),
    "a body in chunks": (
        chunked("/install", *[chunk(b" " * 100)] * 20),
        "1000 bytes of MODULE_MAX_BODY",
    ),
    "a body without end": (
        post("/install", length=10**15),
        "1000 bytes of MODULE_MAX_BODY",
    ),
    "a request line": (head("GET", "/" + "x" * 9000), ""),
    "a header": (head("GET", "/health", "X: " + "x" * 9000), ""),
    "headers": (head("GET", "/health", *[f"X-{n}: 1" for n in range(200)]), ""),
}


@pytest.mark.parametrize("kind", LIMITS)
def test_what_is_too_large_is_refused(start_host: StartHost, kind: str) -> None:
    """Body, request line, headers: 400 at once, in one line of at most a thousand characters."""
    data, words = LIMITS[kind]
    host = start_host("good", MODULE_MAX_BODY=1000)
    with Wire(host, data) as wire:
        assert_failure(wire.answer(), words)
    assert operations(host) == 0
    good_clients_are_served(host)


def test_metadata_that_is_too_large_is_refused(start_host: StartHost) -> None:
    """A plugin that leaves more than the operator can store fails, with the size; it is kept."""
    host = start_host("good", MODULE_MAX_METADATA=1000)
    body = {"a": "x" * 990}
    assert_failure(host.call("install", body), "MODULE_MAX_METADATA")
    assert json.loads(host.journal().left().text) == {"a": "x" * 990, "install": 1}
    assert host.call("uninstall", body).status == 204


def test_no_line_of_the_log_and_no_reason_is_longer_than_its_limit(start_host: StartHost) -> None:
    """4096 bytes a line and 1000 characters a reason, whatever plugin and client are up to."""
    host = start_host("speaks_at_length")
    reply = host.call("install", {}, **{"X-Request-Id": "r" * 128})
    assert_failure(reply, "x" * 900)
    with Wire(host, head("GET", "/" + "\u00e9" * 3000)) as wire:
        wire.answer("GET")
    with Wire(host, post("/install", b'{"%b": NaN}' % (b"k" * 10_000))) as wire:
        assert_failure(wire.answer())
    lines = (host.folder / "log").read_bytes().splitlines()
    assert {"said", "operation finished", "progress"} <= {e["event"] for e in host.events()}
    assert max(map(len, lines)) <= 4096
    assert len(lines) < 1000
