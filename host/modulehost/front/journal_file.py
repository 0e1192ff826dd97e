"""A text that is replaced whole or not at all, whenever the process that writes it is killed.

It lives in two files, of which the older one is written over and then is the newer: on ext4 a
rename over an existing file takes ten times as long. A file is

    MARK SEQUENCE SIZE, padded to 32 bytes; SIZE bytes of text; SEQUENCE again

and counts only when both sequences agree: a write that was cut off lacks the second.
"""

from __future__ import annotations

import os
import sys
from typing import Final

_HEAD: Final = 32
_TAIL: Final = 16
_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class Slots:
    """Two files of mode 0600 in a folder. Nothing raises: ``problem`` tells what is wrong."""

    def __init__(self, folder: str, name: str) -> None:
        self._folder = folder
        self._paths = [f"{folder}/{name}.{number}" for number in (0, 1)]
        self._files: list[int] = []
        self._sizes = [sys.maxsize] * 2  # of the files, as far as they are known
        self._sequence = 0
        self.problem: str | None = None
        try:
            self._open()
        except OSError as error:
            self._fail(error)

    def newer(self) -> bool:
        """Whether another process has written since we read or wrote."""
        return any(self._sequence_of(file) > self._sequence for file in self._files)

    def read(self) -> tuple[bytes, bool]:
        """The text, empty when there is none, and whether it was marked."""
        found = (0, b"", False)
        for file in self._files:
            marked, sequence, size = self._head(file)
            try:
                text = os.pread(file, size + _TAIL, _HEAD)
            except OSError as error:
                self._fail(error)
                continue
            if sequence > found[0] and text[size:].startswith(_tail(sequence)):
                found = (sequence, text[:size], marked)
        self._sequence = max(found[0], self._sequence)
        return found[1:]

    def write(self, text: bytes) -> None:
        """Replace the text; the new one is not marked."""
        try:
            self._mend()
            sequence = self._sequence + 1
            file = self._files[sequence % 2]
            data = b"".join((_head(b"-", sequence, len(text)), text, _tail(sequence)))
            if os.pwrite(file, data, 0) != len(data):
                raise OSError(28, "No space left on device")
            if len(data) < self._sizes[sequence % 2]:
                os.ftruncate(file, len(data))
            self._sizes[sequence % 2] = len(data)
        except OSError as error:
            self._fail(error)
        else:
            self._sequence, self.problem = sequence, None

    def mark(self) -> None:
        """Mark the text, in place."""
        if self._files and self.problem is None:
            try:
                self._mend()
                os.pwrite(self._files[self._sequence % 2], b"+", 0)
            except OSError as error:
                self._fail(error)

    def _open(self) -> None:
        files: list[int] = []
        try:
            for path in self._paths:
                files.append(self._open_one(path))  # noqa: PERF401 - closed when the next fails
        except OSError:
            for file in files:
                os.close(file)
            raise
        self._files = files

    def _open_one(self, path: str) -> int:
        os.makedirs(self._folder, mode=0o700, exist_ok=True)  # noqa: PTH103 - pathlib is dear
        file = os.open(path, _FLAGS, 0o600)
        # in a shared /tmp somebody may have been there before
        if os.fstat(file).st_uid not in (os.geteuid(), 0):
            os.close(file)
            raise PermissionError(1, "its files belong to somebody else")
        return file

    def _mend(self) -> None:
        """Make a file again that somebody has removed; what was in it is in our descriptor."""
        if not self._files:
            self._open()
        for path, file in zip(self._paths, self._files, strict=True):
            if os.fstat(file).st_nlink > 0:
                continue
            new = self._open_one(path)
            try:
                if os.fstat(new).st_size == 0:  # else another front was quicker
                    os.pwrite(new, os.pread(file, os.fstat(file).st_size, 0), 0)
                os.dup2(new, file, inheritable=False)
            finally:
                os.close(new)

    @staticmethod
    def _head(file: int) -> tuple[bool, int, int]:
        """Mark, sequence and size; zeros for an empty or a broken file."""
        try:
            words = os.pread(file, _HEAD, 0).split()
            mark, sequence, size = words[0], int(words[1]), int(words[2])
            is_whole = 0 <= size <= os.fstat(file).st_size
        except (OSError, IndexError, ValueError):
            is_whole = False
        return (mark == b"+", sequence, size) if is_whole else (False, 0, 0)

    def _sequence_of(self, file: int) -> int:
        """The sequence of a whole file, 0 for one whose writing was cut off."""
        _, sequence, size = self._head(file)
        if sequence and os.pread(file, _TAIL, _HEAD + size) == _tail(sequence):
            return sequence
        return 0

    def _fail(self, error: OSError) -> None:
        self.problem = f"{self._folder}: {error.strerror or error}"


def _head(mark: bytes, sequence: int, size: int) -> bytes:
    return (b"%b %d %d" % (mark, sequence, size)).ljust(_HEAD - 1) + b"\n"


def _tail(sequence: int) -> bytes:
    return b"\n%d\n" % sequence
