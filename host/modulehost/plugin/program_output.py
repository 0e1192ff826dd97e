"""What a program writes: into the log and back to its caller, or into a file."""

from __future__ import annotations

import os
import stat
import threading
from collections import deque
from types import TracebackType
from typing import IO, TYPE_CHECKING, Final, Self

from modulehost.shared.errors import ModuleError
from modulehost.shared.redaction import Redactor
from modulehost.shared.stream_lines import read_lines

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

MAX_OUTPUT: Final = 1 << 20
"""Bytes of each of a program's outputs that ``Context.run`` gives back: the last ones."""

_LONGEST_LINE: Final = 2000
_DRAIN: Final = 0.5  # seconds for output that grandchildren hold open
_UNREAD: Final = 140_000  # bytes that a pipe and a reader hold of it at most


class Reader(threading.Thread):
    """Logs a stream line by line, if at all, and keeps the end of it."""

    def __init__(
        self, stream: IO[bytes], name: str, redactor: Redactor, log: FilteringBoundLogger | None
    ) -> None:
        super().__init__(daemon=True, name=f"output of {name}")
        self._stream, self._name, self._log = stream, name, log
        self._redactor = redactor
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._read = 0
        self.start()

    def run(self) -> None:
        with self._stream:
            stream = self._redactor.stream()
            for lines in read_lines(self._stream.fileno(), stream, _LONGEST_LINE, self._keep):
                if self._log is not None:
                    for line in lines:
                        self._log.info(line.decode("utf-8", "replace"), program=self._name)

    def _keep(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._size += len(piece)
        self._read += len(piece)
        while self._size > MAX_OUTPUT:
            self._size -= len(self._pieces.popleft())

    def text(self) -> str:
        """The end of it, once the program has ended: first its last words are waited for."""
        last = self._read + _UNREAD
        before = -1
        while self.is_alive() and before < self._read < last:
            before = self._read
            self.join(_DRAIN)
        text = b"".join(self._pieces).decode("utf-8", "replace")
        return text.replace("\r\n", "\n").replace("\r", "\n")


class OutputFile:
    """A file, mode 0600, that gets its name when it is whole; until then it is ``PATH.part``.

    What was there before under that name stays until then. What is no file, as ``/dev/null``, is
    written to as it is. Leaving the block without ``keep()`` removes what was written.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Raises ModuleError when it cannot be written."""
        self._path = os.path.realpath(path)
        self._part: str | None = None
        try:
            if _is_special(self._path):
                self.fd = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
                os.set_blocking(self.fd, True)  # of a FIFO without a reader no open is waited for
            else:
                part = f"{self._path}.part"
                flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
                self.fd = os.open(part, flags, 0o600)
                self._part = part
                os.fchmod(self.fd, 0o600)
        except OSError as error:
            raise ModuleError(f"{os.fspath(path)} cannot be written: {error.strerror}") from error

    def keep(self) -> None:
        """It is whole."""
        if self._part is not None:
            os.replace(self._part, self._path)  # noqa: PTH105 - pathlib is dear
            self._part = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        os.close(self.fd)
        if self._part is not None:
            try:
                os.unlink(self._part)  # noqa: PTH108
            except FileNotFoundError:
                pass


def _is_special(path: str) -> bool:
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)  # noqa: PTH116
    except FileNotFoundError:
        return False
