"""Gunicorn's process as the keeper has it, and who answers while there is none."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest
from support.interpreter import evaluate

from modulehost.keeper import listening


class TestExitStatus:
    """How the keeper learns of ends."""

    def test_ends_are_told_apart(self) -> None:
        """An exit status, a signal as a negative number, None while it runs, orphans in between."""
        told = evaluate(
            """
import json, os, signal, subprocess, time
from modulehost.keeper.child import exit_status

def end_of(pid):
    while (status := exit_status(pid)) is None:
        time.sleep(0.01)
    return status

def fork(work):
    pid = os.fork()
    if pid == 0:
        work()
        os._exit(3)
    return pid

sleeper = fork(lambda: time.sleep(60))
running = exit_status(sleeper)
other = end_of(fork(lambda: None))
os.kill(sleeper, signal.SIGTERM)
print(json.dumps([running, other, end_of(sleeper), exit_status(sleeper)]))
"""
        )
        assert told == [None, 3, -15, -9]


class TestLastResort:
    """Who answers when gunicorn cannot start."""

    @pytest.fixture
    def port(self) -> Iterator[int]:
        """The port of one."""
        listener = listening.listen(0)
        os.set_inheritable(listener.fileno(), True)
        code = f"""
import _socket
from modulehost.keeper import lastresort, signals
come = signals.Signals(lambda: None)
listener = _socket.socket(fileno={listener.fileno()})
lastresort.serve(listener, come, "no luck", 60, lambda _: come.stopping)
"""
        with subprocess.Popen([sys.executable, "-c", code], close_fds=False) as process:
            yield listening.port_of(listener)
            process.terminate()
            assert process.wait(10) == 0
        listener.close()

    @pytest.mark.parametrize(
        ("request_line", "body", "status"),
        [
            ("GET /health", b"", 503),
            ("HEAD /health", b"", 503),
            ("POST /install", b"{}", 400),
            ("POST /uninstall", b"", 400),
            ("POST /sleep", b"x" * 3_000_000, 400),
        ],
    )
    def test_the_reason_is_the_answer(
        self, port: int, request_line: str, body: bytes, status: int
    ) -> None:
        """400 to calls and 503 to questions, one line of text."""
        with socket.create_connection(("127.0.0.1", port), 10) as client:
            head = f"{request_line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            answer = b"".join(iter(lambda: client.recv(4096), b""))
        head, _, text = answer.decode().partition("\r\n\r\n")
        assert f" {status} " in head.splitlines()[0]
        assert "Content-Type: text/plain; charset=utf-8" in head
        assert text == ("" if request_line.startswith("HEAD") else "no luck\n")

    def test_slow_and_silent_clients_hold_up_nobody(self, port: int) -> None:
        """More of them than it takes at a time: those that wait longest give way."""
        slow = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(300)]
        for client in slow:
            client.sendall(b"G")
        self.test_the_reason_is_the_answer(port, "GET /health", b"", 503)
        for client in slow:
            client.close()

    def test_a_client_that_goes_is_forgotten(self, port: int) -> None:
        """Before it has asked, in the middle, or without waiting for the answer."""
        for data in (b"", b"GE", b"GET /health HTTP/1.1\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", port), 10) as client:
                client.sendall(data)
        self.test_the_reason_is_the_answer(port, "POST /install", b"{}", 400)
