"""When the keeper cannot be run: who calls is told why, whatever they do, and it is tried again."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import signal
import sys
import time
from pathlib import Path

import pytest
from native.conftest import Listener, StartListener
from support import native
from support.processes import tree, wait_until
from support.seccomp import FORKING, refusing

REASON = b"the host cannot start: its keeper cannot be run: %s; see its log\n"


@pytest.fixture
def broken(start: StartListener) -> Listener:
    """One whose program is not there."""
    listener = start("/no/such/program")
    wait_until(lambda: _listens(listener), "it listens")
    return listener


def _listens(listener: Listener) -> bool:
    with contextlib.suppress(OSError), listener.connect():
        return True
    return False


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET /health", b"503 Service Unavailable"),
        (b"HEAD /health", b"503 Service Unavailable"),
        (b"POST /install", b"400 Bad Request"),
        (b"GETS /health", b"400 Bad Request"),
        (b"x", b"400 Bad Request"),
    ],
)
def test_the_reason_is_the_answer(broken: Listener, request_line: bytes, status: bytes) -> None:
    """400 to calls and 503 to questions, one line of text."""
    head, _, body = broken.ask(request_line + b" HTTP/1.1\r\n\r\n").partition(b"\r\n\r\n")
    reason = REASON % b"No such file or directory"
    lines = head.split(b"\r\n")
    assert lines[0] == b"HTTP/1.1 " + status
    assert b"Content-Length: %d" % len(reason) in lines
    assert body == (b"" if request_line.startswith(b"HEAD") else reason)


def test_a_large_body_is_taken_before_the_connection_ends(broken: Listener) -> None:
    """Else the client would see a reset instead of the answer."""
    body = b"x" * 5_000_000
    head = b"POST /install HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert broken.ask(head + body).startswith(b"HTTP/1.1 400 ")


@pytest.mark.slow
def test_slow_clients_hold_up_nobody(broken: Listener) -> None:
    """Each has a process of its own, and five seconds."""
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        for _ in range(30):
            stack.enter_context(broken.connect(b"GET /health HTTP/1.1\r\n"))
        assert broken.ask(b"GET /health HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 503 ")
        assert time.monotonic() - began < 4
        wait_until(lambda: len(tree(broken.process.pid)) == 1, "they are over", 10)


def test_it_is_tried_again_with_each_connection(start: StartListener, tmp_path: Path) -> None:
    """As soon as the program is there, it is run."""
    program = tmp_path / "program"
    listener = start(str(program))
    wait_until(lambda: _listens(listener), "it listens")
    assert listener.ask(b"GET / HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 503 ")
    program.write_text(f"#!/bin/sh\nexec {' '.join(listener.stand_in())}\n")
    assert b"Permission denied" in listener.ask(b"GET / HTTP/1.1\r\n\r\n")
    program.chmod(0o755)
    with listener.connect(b"GET / HTTP/1.1\r\n\r\n") as client:
        assert listener.told()[0]["listens"]["port"] == listener.port
        listener.tell("answer")
        assert client.recv(20) == b"answered"


def test_where_no_process_can_be_made_it_answers_all_the_same(
    start: StartListener, program: Path, tmp_path: Path
) -> None:
    """By itself then, without waiting for anybody."""
    code = refusing(*FORKING) + "import os, sys; os.execv(sys.argv[1], sys.argv[1:])"
    (tmp_path / "refuse.py").write_text(code)
    small = native.built(*native.SMALL)  # sanitizers make processes of their own
    listener = start(
        *(sys.executable, "-I", str(tmp_path / "refuse.py"), str(small), "/no/such/program")
    )
    wait_until(lambda: _listens(listener), "it listens")
    for _ in range(3):
        assert listener.ask(b"POST /install HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    with listener.connect(b"G"):  # slow: it is not waited for
        assert listener.ask(b"GET / HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 503 ")
    assert listener.ends(signal.SIGTERM) == 0


def test_without_a_descriptor_a_connection_waits(broken: Listener) -> None:
    """It is tried again after a pause, not in a loop that takes a processor."""
    assert broken.ask(b"GET / HTTP/1.1\r\n\r\n")
    limits = resource.prlimit(broken.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(broken.process.pid, resource.RLIMIT_NOFILE, (4, limits[1]))
    with broken.connect(b"GET / HTTP/1.1\r\n\r\n") as client:
        client.settimeout(0.5)
        with pytest.raises(TimeoutError):
            client.recv(1)
        assert len(broken.events()) < 20
        resource.prlimit(broken.process.pid, resource.RLIMIT_NOFILE, limits)
        client.settimeout(10)
        assert client.recv(12) == b"HTTP/1.1 503"


def test_a_log_that_nobody_reads_holds_up_nobody(start: StartListener) -> None:
    """What cannot be written at once is lost."""
    reader, writer = os.pipe()
    os.write(writer, b"x" * fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ))
    listener = start("/no/such/program", stdout=writer)
    os.close(writer)
    wait_until(lambda: _listens(listener), "it listens")
    assert listener.ask(b"GET / HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 503 ")
    assert listener.ends(signal.SIGTERM) == 0
    os.close(reader)
