"""What a thread waits with: others wake it, and it sees sockets become readable meanwhile."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Iterable
from typing import Final

from modulehost.shared.linux import LONGEST_POLL

_spare: Final[list[int]] = []  # making an eventfd costs more than the wait of a short operation


class Waiter:
    """One thread waits; any thread may wake it, also before it waits and after it was closed."""

    def __init__(self) -> None:
        try:
            self._wake = _spare.pop()
        except IndexError:
            self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._open = True
        self._lock = threading.Lock()

    def nudge(self) -> None:
        """Wake the thread that waits, so that it looks around."""
        with self._lock:
            if self._open:
                try:
                    os.eventfd_write(self._wake, 1)
                except OSError:
                    pass  # full: it is awake

    def poll(
        self, seconds: float | None, readable: Iterable[int] = (), hung_up: int | None = None
    ) -> set[int]:
        """Wait for a nudge, for a descriptor to be readable, or for the other end of one to go.

        Returns which of these descriptors it is.
        """
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        for descriptor in readable:
            poll.register(descriptor, select.POLLIN)
        if hung_up is not None:
            poll.register(hung_up, select.POLLRDHUP)
        timeout = None if seconds is None else min(max(0.0, seconds) * 1000, LONGEST_POLL)
        ready = {descriptor for descriptor, _ in poll.poll(timeout)}
        if self._wake in ready:
            os.eventfd_read(self._wake)
            ready.remove(self._wake)
        return ready

    def close(self) -> None:
        """Give back the descriptor."""
        with self._lock:
            if self._open:
                self._open = False
                try:
                    os.eventfd_read(self._wake)
                except BlockingIOError:
                    pass  # nobody has nudged since
                _spare.append(self._wake)
