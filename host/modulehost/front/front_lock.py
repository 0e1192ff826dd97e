"""Held by the one front that may run operations: on SIGHUP the old one and the new overlap."""

from __future__ import annotations

import fcntl
import os

POLL = 0.05
"""Seconds between two tries, while another front that was told to stop ends its last operation."""


class FrontLock:
    """A lock on a file, taken once and given back by the end of the process."""

    def __init__(self, folder: str) -> None:
        self._path = f"{folder}/lock"
        self._file = -1
        self.is_held = False

    def take(self) -> bool:
        """Try to take it. Without a state directory no other front could share it: it is held."""
        try:
            if self._file < 0:
                flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
                self._file = os.open(self._path, flags, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            pass
        self.is_held = True
        return True
