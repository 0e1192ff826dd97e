"""How a hook learns that its operation should stop."""

from __future__ import annotations

import os
import threading

from modulehost.shared.errors import Cancelled


class Cancellation:
    """Set once, from another thread; whoever waits is woken."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._fd = -1
        self._closed = False
        self.reason = ""

    @property
    def fd(self) -> int:
        """A descriptor that is readable once it is cancelled; made when it is first asked for.

        Raises ``Cancelled`` once the operation is over.
        """
        with self._lock:
            if self._closed:
                raise Cancelled("its operation has ended")
            if self._fd < 0:
                self._fd = os.eventfd(self._event.is_set(), os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            return self._fd

    def set(self, reason: str) -> None:
        """Cancel; the first reason stays."""
        with self._lock:
            if self._closed or self._event.is_set():
                return
            self.reason = reason
            self._event.set()
            if self._fd >= 0:
                os.eventfd_write(self._fd, 1)

    def is_set(self) -> bool:
        """Whether it was cancelled."""
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait until it is cancelled or the time is over; whether it is."""
        return self._event.wait(min(seconds, threading.TIMEOUT_MAX))

    def close(self) -> None:
        """Give back the descriptor; what comes later is ignored."""
        with self._lock:
            self._closed = True
            if self._fd >= 0:
                try:
                    os.close(self._fd)
                except OSError:
                    pass  # the plugin has closed it
            self._fd = -1
