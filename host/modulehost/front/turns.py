"""Whose turn it is: one operation runs, four wait, uninstall goes first."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable, Iterable
from itertools import count
from typing import Final

from modulehost.shared.errors import BusyError, ClientGoneError
from modulehost.shared.linux import LONGEST_POLL
from modulehost.shared.records import Operation

MAX_WAITING: Final = 4

_numbers = count(1)


class Turn:
    """One operation's place in the queue, and what its thread waits with.

    ``id`` is no other's in this process: clients may give several calls the same request id.
    """

    def __init__(self, operation: Operation, client: int | None) -> None:
        self.id: Final = f"{next(_numbers)}"
        self.operation: Final = operation
        self.client_gone = False
        self.cancelled: str | None = None
        self.started = 0.0
        self.progress = ""
        self.refused: str | None = None
        self.granted = False
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._client = client
        self._open = True
        self._lock = threading.Lock()

    def nudge(self) -> None:
        """Wake the thread that waits, so that it looks around."""
        with self._lock:
            if self._open:
                os.eventfd_write(self._wake, 1)

    def refuse(self, reason: str) -> None:
        """Send the thread that waits away."""
        self.refused = reason
        self.nudge()

    def cancel(self, reason: str) -> None:
        """Ask the operation to stop; the first reason stays."""
        self.cancelled = self.cancelled or reason
        self.nudge()

    def wait(self, seconds: float | None, others: Iterable[int] = ()) -> set[int]:
        """Wait for a nudge, the client's end, or one of the other descriptors to be readable.

        Returns which of the others are. ``client_gone`` tells whether the client hung up.
        """
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        for descriptor in others:
            poll.register(descriptor, select.POLLIN)
        if self._client is not None and not self.client_gone:
            poll.register(self._client, select.POLLRDHUP)
        timeout = None if seconds is None else min(max(0.0, seconds) * 1000, LONGEST_POLL)
        ready = {descriptor for descriptor, _ in poll.poll(timeout)}
        if self._wake in ready:
            os.eventfd_read(self._wake)
        self.client_gone |= self._client in ready
        return ready - {self._wake, self._client}

    def close(self) -> None:
        """Give back the descriptor."""
        with self._lock:
            if self._open:
                self._open = False
                os.close(self._wake)


class Turns:
    """The queue."""

    def __init__(self) -> None:
        self._lock = threading.Condition()  # notified when a turn is given back
        self._waiting: list[Turn] = []
        self._between: list[Callable[[], None]] = []
        self._closed: str | None = None
        self.running: Turn | None = None

    def take(self, operation: Operation, client: int | None) -> Turn:
        """Wait for a turn; the caller gives it back with ``release``.

        ``client`` is the descriptor of the client's socket. Raises BusyError when too many wait,
        when an uninstall goes first or the host stops; ClientGoneError when the client hung up
        before its turn, but for uninstall: it is never repeated.
        """
        turn = Turn(operation, client)
        try:
            self._enqueue(turn)
            while not turn.granted:
                turn.wait(None)
                if turn.refused is not None:
                    raise BusyError(turn.refused)
                if turn.client_gone and operation != "uninstall" and self._leave(turn):
                    raise ClientGoneError(f"the client hung up before the turn of {operation}")
        except BaseException:
            turn.close()
            raise
        return turn

    def release(self, turn: Turn) -> None:
        """Give the turn to the next."""
        with self._lock:
            if self.running is turn:
                self.running = None
                while self._between:
                    self._between.pop()()
                if self._waiting:
                    following = self._waiting.pop(0)
                    self._start(following)
                    following.nudge()
                self._lock.notify_all()
        turn.close()

    def close(self, reason: str) -> None:
        """Refuse whoever waits and whoever comes; the running one goes on."""
        with self._lock:
            self._closed = reason
            while self._waiting:
                self._waiting.pop().refuse(reason)

    def is_idle(self) -> bool:
        """Whether nothing runs and nobody waits."""
        return self.running is None and not self._waiting

    def wait_idle(self, seconds: float) -> bool:
        """Wait until nothing runs and nobody waits; whether that came in time."""
        with self._lock:
            return self._lock.wait_for(self.is_idle, seconds)

    def when_idle(self, action: Callable[[], None]) -> None:
        """Do something if nothing runs and nobody waits; nothing begins before it is done."""
        with self._lock:
            if self.is_idle():
                action()

    def between(self, action: Callable[[], None]) -> Operation | None:
        """Do something while nothing runs: now, or before the next operation begins.

        Returns the operation whose end is waited for.
        """
        with self._lock:
            if self.running is not None:
                self._between.append(action)
                return self.running.operation
            action()
            return None

    def _enqueue(self, turn: Turn) -> None:
        with self._lock:
            if self._closed is not None:
                raise BusyError(self._closed)
            if self.running is None:
                self._start(turn)
                return
            running = self.running.operation
            if turn.operation == "uninstall":
                for other in [w for w in self._waiting if w.operation != "uninstall"]:
                    self._waiting.remove(other)
                    other.refuse(f"{other.operation} gave way to uninstall")
                if running != "uninstall":
                    self.running.cancel("uninstall was called")
            if len(self._waiting) >= MAX_WAITING:
                raise BusyError(f"busy: {running} is running")
            self._waiting.append(turn)

    def _start(self, turn: Turn) -> None:
        self.running = turn
        turn.started = time.monotonic()
        turn.granted = True

    def _leave(self, turn: Turn) -> bool:
        """Take a waiting turn out of the queue; False when it was granted meanwhile."""
        with self._lock:
            if turn in self._waiting:
                self._waiting.remove(turn)
                return True
        return False
