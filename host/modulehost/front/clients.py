"""Bounds on clients: how long each may take, and how many a thread may wait for."""

from __future__ import annotations

import socket
import threading
import time
from typing import Final

PATIENCE: Final = 30.0
"""Seconds for a client to send a request's head, its body, and to take the answer."""

LINGER: Final = 2.0
"""Seconds for a client to close its side, once it was told that the connection ends."""


class Watch:
    """Bounds how long clients may take, and how many may: a thread waits for each.

    Sockets past their time are shut down; when there are too many the one that is waited for
    longest is, too. The thread then goes on.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._sockets: dict[socket.socket, tuple[float, int]] = {}  # in the order of their time
        self._lock = threading.Lock()

    def start(self, sock: socket.socket, how: int, *, new: bool = False) -> None:
        """Shut the socket down that way unless the next step has come in time.

        Only a new one makes another give way: that one's own last steps must not.
        """
        with self._lock:
            self._sockets.pop(sock, None)
            self._sockets[sock] = time.monotonic() + PATIENCE, how
            if new and len(self._sockets) > self._most:
                self._shut_down(next(iter(self._sockets)))

    def stop(self, sock: socket.socket) -> None:
        """The client has done its part. To be called before the socket is closed."""
        with self._lock:
            self._sockets.pop(sock, None)

    def enforce(self, now: float) -> None:
        """Shut down what is late."""
        with self._lock:
            for sock in [s for s, (ends, _) in self._sockets.items() if ends < now]:
                self._shut_down(sock)

    def _shut_down(self, sock: socket.socket) -> None:
        _, how = self._sockets.pop(sock)
        try:
            sock.shutdown(how)
        except OSError:
            pass  # the client was quicker


class Client:
    """The client of one request, as the view knows it."""

    KEY: Final = "modulehost.client"
    """In the WSGI environ."""

    def __init__(self, sock: socket.socket, watch: Watch) -> None:
        self._socket = sock
        self._watch = watch
        self.fileno = sock.fileno

    def has_sent(self) -> None:
        """The body has been read."""
        self._watch.stop(self._socket)

    def is_answered(self) -> None:
        """The whole answer was written: it goes out now, whatever is to be done afterwards."""
        cork(self._socket, False)


def cork(sock: socket.socket, on: bool) -> None:
    """Send head and body of an answer together: gunicorn writes them one by one, which costs."""
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, on)
    except OSError:
        pass  # closed, or no TCP


def linger(sock: socket.socket) -> None:
    """Wait for the client to close: closed with data unread, the answer's end would be lost."""
    ends = time.monotonic() + LINGER
    try:
        sock.shutdown(socket.SHUT_WR)
        sock.settimeout(LINGER)
        while sock.recv(4096) and time.monotonic() < ends:
            pass
    except OSError:
        pass  # the client has gone
