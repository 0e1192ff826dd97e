"""A file lock that an operation holds, so that two fronts that overlap cannot run two at once."""

from __future__ import annotations

import fcntl
import os
import time
from typing import Final, Self

from modulehost.front.turns import Turn

_POLL: Final = 0.05  # s; only while another front, told to stop, finishes its last operation


class OperationLock:
    """Held for the length of a ``with`` block; without a state directory there is none."""

    def __init__(self, folder: str) -> None:
        self._path = f"{folder}/lock"
        self._file = -1

    def __enter__(self) -> Self:
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._file = os.open(self._path, flags, 0o600)
        except OSError:
            pass  # no state directory, no other front that could share it
        return self

    def wait(self, turn: Turn) -> None:
        """Wait until the other front's operation has ended; the turn starts then."""
        while self._file >= 0:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                turn.wait(_POLL)
            else:
                turn.started = time.monotonic()
                return

    def __exit__(self, *_: object) -> None:
        if self._file >= 0:
            os.close(self._file)
