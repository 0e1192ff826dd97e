"""Writes lines to a descriptor that others share, and never waits for whoever reads it."""

from __future__ import annotations

import errno
import os
import select
import stat
import threading
import time
from collections.abc import Callable
from typing import Final

MAX_LINE: Final = 4096
"""Bytes of a line, newline included: pipe(7) keeps writes up to PIPE_BUF in one piece."""

_NOWAIT: Final = getattr(os, "RWF_NOWAIT", 0)  # 0: a C library that does not know it
_PAUSE: Final = 0.05  # seconds between two looks at a reader that has just begun to read again


class LineWriter:
    """What does not fit into a full pipe is dropped and counted; the count is told afterwards.

    O_NONBLOCK would be the pipe's, and so that of the shell or the container runtime which made
    it. RWF_NOWAIT is that of one write, and its ``EAGAIN`` leaves no gap for other writers to fill
    between a look and the write. Where the kernel does not have it for a pipe (before 6.5) or a
    device, a look is all there is.
    """

    def __init__(self, fd: int, dropped: Callable[[int], bytes]) -> None:
        """``dropped`` makes the line that says how many lines were dropped."""
        self._fd = fd
        self._dropped_line = dropped
        self._dropped = 0  # changed without a lock, which a signal handler would wait for for ever
        self._is_watched = False
        self._nowait = _NOWAIT
        self._is_file = False
        try:
            mode = os.fstat(fd).st_mode
            self._is_file = stat.S_ISREG(mode)
            if os.isatty(fd):  # takes half a line before it waits: a description of our own
                flags = os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC
                self._fd = os.open(f"/proc/self/fd/{fd}", flags)
        except OSError:
            pass  # closed, or a terminal of somebody else's

    def write(self, line: bytes) -> None:
        """Put a line out, or count it; what is written to nobody is lost."""
        if (self._dropped and not self._tell()) or not self._put(line):
            self._drop()

    def _tell(self) -> bool:
        """Whether there is room for other lines, too, after the one that tells."""
        if not self._has_room():
            return False
        count, self._dropped = self._dropped, 0
        if count and not self._put(self._dropped_line(count)):
            self._dropped += count
            return False
        return True

    def _put(self, line: bytes) -> bool:
        """Whether the line needs no further care: it is written, or nobody is there to read."""
        try:
            if self._is_file:
                os.write(self._fd, line)
                return True
            return all(
                self._write_now(line[start : start + MAX_LINE])
                for start in range(0, len(line), MAX_LINE)
            )
        except OSError:
            return True

    def _write_now(self, piece: bytes) -> bool:
        try:
            if self._nowait:
                try:
                    return os.pwritev(self._fd, [piece], -1, self._nowait) == len(piece)
                except OSError as error:
                    if error.errno not in (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL):
                        raise
                    self._nowait = 0
            return self._has_room() and os.write(self._fd, piece) == len(piece)
        except BlockingIOError:
            return False

    def _has_room(self, milliseconds: int | None = 0) -> bool:
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        return bool(poll.poll(milliseconds))

    def _drop(self) -> None:
        self._dropped += 1
        if not self._is_watched:
            self._is_watched = True
            try:
                threading.Thread(target=self._watch, name="stalled log", daemon=True).start()
            except RuntimeError:
                self._is_watched = False  # no thread can be had; the next line tells

    def _watch(self) -> None:
        """Tell once there is room, although nothing else may be logged for hours."""
        while self._dropped:
            if self._has_room(None) and not self._tell():
                time.sleep(_PAUSE)
        self._is_watched = False
