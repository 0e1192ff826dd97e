"""Whose turn it is: one operation runs, four wait, uninstall goes first."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import count
from typing import Final

from modulehost.front.waiter import Waiter
from modulehost.shared.errors import HostError
from modulehost.shared.records import OperationName

MAX_WAITING: Final = 4

_numbers = count(1)


class Turn(Waiter):
    """One operation's place in the queue, and what its thread waits with.

    ``id`` is no other's in this process: clients may give several calls the same request id.
    ``client`` is the descriptor of the client's socket.
    """

    def __init__(self, operation: OperationName, client: int | None) -> None:
        super().__init__()
        self.id: Final = f"{next(_numbers)}"
        self.operation: Final = operation
        self.client_gone = False
        self.cancelled: str | None = None
        self.started = 0.0
        self.progress = ""
        self.is_answered = False
        self.refused: str | None = None
        self.granted = False
        self._client = client

    def refuse(self, reason: str) -> None:
        """Send the thread that waits away."""
        self.refused = reason
        self.nudge()

    def cancel(self, reason: str) -> None:
        """Ask the operation to stop; the first reason stays."""
        self.cancelled = self.cancelled or reason
        self.nudge()

    def check(self) -> None:
        """Raise HostError when the operation, which is not begun yet, shall not begin any more."""
        if self.client_gone and self.operation != "uninstall":
            raise HostError(f"the client hung up before {self.operation} was begun")
        if self.cancelled is not None:
            raise HostError(f"{self.operation} was cancelled: {self.cancelled}")

    def wait(self, seconds: float | None, *readable: int) -> bool:
        """Wait for a nudge, for the client's end, or for a descriptor to be readable.

        Returns whether one is readable. ``client_gone`` tells whether the client hung up.
        """
        ready = self.poll(seconds, readable, None if self.client_gone else self._client)
        self.client_gone |= self._client in ready
        return not ready.isdisjoint(readable)


class Turns:
    """The queue."""

    def __init__(self) -> None:
        self._lock = threading.Condition()  # notified when a turn is given back
        self._waiting: list[Turn] = []
        self._between: list[Callable[[], None]] = []
        self._closed: str | None = None
        self._spares_uninstall = False
        self.running: Turn | None = None

    def take(
        self,
        operation: OperationName,
        client: int | None,
        before_waiting: Callable[[], object] | None = None,
    ) -> Turn:
        """Wait for a turn; the caller gives it back with ``release``.

        ``client`` is the descriptor of the client's socket. ``before_waiting`` may raise, and is
        called where somebody else runs, before that one is told to give way. Raises HostError
        when too many wait, when an uninstall goes first, when the host stops, and when the
        client hung up before its turn, but for uninstall: it is never repeated.
        """
        turn = Turn(operation, client)
        try:
            if not self._start_at_once(turn):
                if before_waiting is not None:
                    before_waiting()
                self._enqueue(turn)
            while not turn.granted:
                turn.wait(None)
                if turn.refused is not None:
                    raise HostError(turn.refused)
                if turn.client_gone and operation != "uninstall" and self._leave(turn):
                    raise HostError(f"the client hung up before the turn of {operation}")
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

    def close(self, reason: str, *, spare_uninstall: bool = False) -> None:
        """Refuse whoever waits and whoever comes; the running one goes on."""
        with self._lock:
            self._closed, self._spares_uninstall = reason, spare_uninstall
            self._send_away(lambda _: reason, spare_uninstall=spare_uninstall)

    def is_idle(self) -> bool:
        """Whether nothing runs and nobody waits."""
        return self.running is None and not self._waiting

    @property
    def has_waiting(self) -> bool:
        """Whether somebody waits."""
        return bool(self._waiting)

    def await_change(self, running: Turn | None, seconds: float) -> bool:
        """Wait until something else runs than that, or nothing; whether that came in time."""
        with self._lock:
            return self._lock.wait_for(lambda: self.running is not running, seconds)

    def when_idle(self, action: Callable[[], None]) -> None:
        """Do something if nothing runs and nobody waits; nothing begins before it is done."""
        with self._lock:
            if self.is_idle():
                action()

    def between(self, action: Callable[[], None]) -> OperationName | None:
        """Do something while nothing runs: now, or before the next operation begins.

        Returns the operation whose end is waited for.
        """
        with self._lock:
            if self.running is not None:
                self._between.append(action)
                return self.running.operation
            action()
            return None

    def _start_at_once(self, turn: Turn) -> bool:
        """Whether nothing runs, so that it is this one's turn."""
        with self._lock:
            self._check_open(turn)
            if self.running is None:
                self._start(turn)
        return turn.granted

    def _check_open(self, turn: Turn) -> None:
        is_spared = self._spares_uninstall and turn.operation == "uninstall"
        if self._closed is not None and not is_spared:
            raise HostError(self._closed)

    def _enqueue(self, turn: Turn) -> None:
        with self._lock:
            self._check_open(turn)
            if self.running is None:
                self._start(turn)
                return
            running = self.running.operation
            if turn.operation == "uninstall":
                self._send_away(
                    lambda other: f"{other.operation} gave way to uninstall", spare_uninstall=True
                )
                if running != "uninstall":
                    self.running.cancel("uninstall was called")
            if len(self._waiting) >= MAX_WAITING:
                raise HostError(f"busy: {running} is running")
            self._waiting.append(turn)

    def _send_away(self, reason: Callable[[Turn], str], *, spare_uninstall: bool) -> None:
        """Refuse whoever waits."""
        for other in self._waiting[:]:
            if not (spare_uninstall and other.operation == "uninstall"):
                self._waiting.remove(other)
                other.refuse(reason(other))

    def _start(self, turn: Turn) -> None:
        self.running = turn
        turn.started = time.monotonic()
        turn.granted = True
        self._lock.notify_all()

    def _leave(self, turn: Turn) -> bool:
        """Take a waiting turn out of the queue; False when it was granted meanwhile."""
        with self._lock:
            if turn in self._waiting:
                self._waiting.remove(turn)
                return True
        return False
