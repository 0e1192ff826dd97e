"""The socket that the host listens on: made, or taken over."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator

import pytest
from support.interpreter import evaluate

from modulehost.keeper import listening as ours
from modulehost.shared.names import DEFER_ACCEPT


@contextlib.contextmanager
def listening(port: int = 0) -> Iterator[socket.socket]:
    """The keeper's socket, with Python's half of it."""
    with socket.socket(fileno=ours.listen(port).detach()) as listener:
        yield listener


def port_of(listener: socket.socket) -> int:
    """Its port."""
    return int(listener.getsockname()[1])


def connected(listener: socket.socket, address: str = "127.0.0.1") -> socket.socket:
    """A client of it."""
    return socket.create_connection((address, port_of(listener)), 5)


class TestListen:
    """The socket."""

    def test_it_listens_at_once_and_keeps_early_requests(self) -> None:
        """A connection is taken, and what it sends kept, before anybody accepts."""
        with listening() as listener, connected(listener) as client:
            client.sendall(b"GET /health HTTP/1.1\r\n\r\n")
            accepted, _ = listener.accept()
            with accepted:
                assert accepted.recv(100).startswith(b"GET /health")

    @pytest.mark.skipif(not socket.has_ipv6, reason="a kernel without IPv6")
    def test_both_families_reach_it(self) -> None:
        """One socket for IPv4 and IPv6."""
        with listening() as listener:
            for address in ("127.0.0.1", "::1"):
                connected(listener, address).close()

    def test_silent_connections_stay_in_the_kernel(self) -> None:
        """A connection that has sent nothing is not handed over."""
        with listening() as listener:
            option = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT)
            assert option >= DEFER_ACCEPT
            listener.setblocking(False)
            with connected(listener), pytest.raises(BlockingIOError):
                listener.accept()

    def test_many_wait_before_anybody_accepts(self) -> None:
        """Hundreds of early clients are connected, not refused."""
        with listening() as listener, contextlib.ExitStack() as stack:
            for _ in range(300):
                stack.enter_context(connected(listener))

    def test_a_port_can_be_had_again_at_once(self) -> None:
        """Connections that still end do not hold the port."""
        with listening() as listener:
            port = port_of(listener)
            with connected(listener) as client:
                client.sendall(b"x")
                accepted, _ = listener.accept()
                assert accepted.recv(1) == b"x"
                accepted.close()  # ours first, so that the wait is on this side
        with listening(port):
            pass


TAKEN = """
import json, os, socket
from modulehost.keeper import listening
made = {made}
os.dup2(made.fileno(), 3)
environ = {{"LISTEN_PID": {pid}, "LISTEN_FDS": {count!r}, "LISTEN_FDNAMES": "http", "A": "b"}}
try:
    taken = listening.given(environ)
    told = taken and [taken.fileno(), listening.port_of(taken) == made.getsockname()[1],
                      taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT) >= 30,
                      os.get_inheritable(3)]
except ValueError as error:
    told = str(error)
print(json.dumps([told, environ]))
"""
OURS = "str(os.getpid())"


def taken(made: str, pid: str = OURS, count: str = "1") -> tuple[object, dict[str, str]]:
    """What becomes of a socket that is handed over so, and of the environment."""
    told, environ = evaluate(TAKEN.format(made=made, pid=pid, count=count))
    return told, environ


class TestGiven:
    """A socket from somebody else: systemd, s6, the native listener."""

    @pytest.mark.parametrize("family", ["AF_INET", "AF_INET6"])
    def test_a_socket_that_listens_is_taken(self, family: str) -> None:
        """With our options; no child inherits it, nor the variables that tell of it."""
        address = "127.0.0.1" if family == "AF_INET" else "::1"
        made = f"socket.create_server(({address!r}, 0), family=socket.{family})"
        assert taken(made) == ([3, True, True, False], {"A": "b"})

    def test_what_was_meant_for_another_process_is_left(self) -> None:
        """The variables of a parent that did not take them away."""
        made = "socket.create_server(('127.0.0.1', 0))"
        assert taken(made, pid="str(os.getppid())") == (None, {"A": "b"})

    def test_nothing_is_nothing(self) -> None:
        """Started as ever."""
        assert ours.given({}) is None

    @pytest.mark.parametrize(
        "made",
        [
            "socket.socket()",
            "socket.socketpair()[0]",
            "socket.socket(type=socket.SOCK_DGRAM)",
            "open('/dev/null')",
        ],
    )
    def test_another_kind_of_descriptor_is_refused(self, made: str) -> None:
        """In one line for the person."""
        told, _ = taken(made)
        assert told == "LISTEN_FDS: 3 is no TCP socket that listens"

    @pytest.mark.parametrize("count", ["0", "2", "x", ""])
    def test_more_than_one_is_refused(self, count: str) -> None:
        """A module has one port."""
        told, _ = taken("socket.create_server(('127.0.0.1', 0))", count=count)
        assert told == f"LISTEN_FDS={count!r}: it takes one socket"


def test_the_port_is_that_of_the_socket() -> None:
    """Whatever the kernel has chosen."""
    with listening() as listener:
        assert ours.port_of(listener) == listener.getsockname()[1] > 0
        assert os.get_blocking(listener.fileno()) is False
