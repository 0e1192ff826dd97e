"""Answers every request with a reason when gunicorn cannot, in the keeper itself.

It needs no process, no thread and nothing that is not imported already: what keeps gunicorn from
starting may keep those from it, too.
"""

from __future__ import annotations

import _socket
import select
import time

TYPE_CHECKING = False  # typing.TYPE_CHECKING without the import of typing
if TYPE_CHECKING:
    from collections.abc import Callable

    from modulehost.keeper.signals import Signals

MOST = 100  # clients at a time; who waits longest makes room for one more
PATIENCE = 5.0  # s, for a client to send a request, and to close after the answer
FULL = 0.1  # s, until a connection for which there was no descriptor is tried again


class _Client:
    """A connection: first it is read until its method is known, then until it ends."""

    def __init__(self, number: int, reason: str) -> None:
        self._socket = _socket.socket(fileno=number)
        self._socket.setblocking(False)
        self._reason = f"{reason}\n".encode("utf-8", "replace")
        self._asked: bytes | None = b""
        self.ends = time.monotonic() + PATIENCE

    def go_on(self) -> bool:
        """Take what it has sent; False when it is done."""
        try:
            data = self._socket.recv(1 << 16)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if self._asked is not None:
            self._asked += data
            if len(self._asked) >= len(b"HEAD "):
                self._answer(self._asked)
                self._asked = None
        return data != b""

    def _answer(self, asked: bytes) -> None:
        question = asked.startswith((b"GET ", b"HEAD "))
        status = b"503 Service Unavailable" if question else b"400 Bad Request"
        head = (
            b"HTTP/1.1 %b\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n"
            b"Content-Length: %d\r\n\r\n" % (status, len(self._reason))
        )
        try:
            self._socket.send(head if asked.startswith(b"HEAD") else head + self._reason)
            self._socket.shutdown(_socket.SHUT_WR)  # closed with data unread it would be lost
        except OSError:
            pass  # the client has gone

    def close(self) -> None:
        """End the connection."""
        self._socket.close()


def serve(
    listener: _socket.socket,
    signals: Signals,
    reason: str,
    seconds: float,
    done: Callable[[int], bool],
) -> None:
    """Answer 400 with the reason, 503 to GET, for so long, or until ``done``.

    That is asked after each turn, with the number of connections that are open.
    """
    clients: dict[int, _Client] = {}
    poll = select.poll()
    for descriptor in (listener.fileno(), signals.wake):
        poll.register(descriptor, select.POLLIN)
    ends = time.monotonic() + seconds
    try:
        while (now := time.monotonic()) < ends:
            until = min([ends, *(client.ends for client in clients.values())])
            for descriptor, _ in poll.poll(max(0.0, until - now) * 1000):
                if descriptor == listener.fileno():
                    _accept(listener, clients, poll, reason)
                elif descriptor == signals.wake:
                    signals.clear()
                elif descriptor in clients and not clients[descriptor].go_on():
                    _end(descriptor, clients, poll)
            now = time.monotonic()
            for descriptor in [d for d, client in clients.items() if client.ends <= now]:
                _end(descriptor, clients, poll)
            if done(len(clients)):
                return
    finally:
        for client in clients.values():
            client.close()


def _accept(
    listener: _socket.socket, clients: dict[int, _Client], poll: select.poll, reason: str
) -> None:
    """Take a connection; where there is no room the oldest one goes."""
    if len(clients) >= MOST:
        _end(next(iter(clients)), clients, poll)
    try:
        number, _ = listener._accept()  # type: ignore[attr-defined] # socket.accept, without it
    except BlockingIOError:
        return  # the client has gone
    except OSError:
        if clients:
            _end(next(iter(clients)), clients, poll)
        else:
            time.sleep(FULL)
        return
    clients[number] = _Client(number, reason)
    poll.register(number, select.POLLIN)


def _end(descriptor: int, clients: dict[int, _Client], poll: select.poll) -> None:
    poll.unregister(descriptor)
    clients.pop(descriptor).close()
