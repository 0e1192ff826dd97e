"""What a plugin prints, turned into log lines: cut, counted, dropped, never kept in memory."""

from __future__ import annotations

import threading
import time
from typing import IO, Final

from modulehost.shared.logs import Log

LONGEST_LINE: Final = 3000
"""Bytes after which a line is cut."""

LINES_PER_SECOND: Final = 500
"""More than that are counted, and dropped."""


class Output(threading.Thread):
    """Reads one stream to its end."""

    def __init__(self, stream: IO[bytes], name: str, log: Log) -> None:
        super().__init__(name=f"plugin's {name}", daemon=True)
        self._stream, self._name, self._log = stream, name, log
        self._second = 0
        self._lines = 0
        self._dropped = 0

    def run(self) -> None:
        with self._stream:
            while line := self._stream.readline(LONGEST_LINE):
                self._take(line.decode("utf-8", "backslashreplace").rstrip())
        self._tell_dropped()

    def _take(self, line: str) -> None:
        second = int(time.monotonic())
        if second != self._second:
            self._tell_dropped()
            self._second, self._lines = second, 0
        self._lines += 1
        if self._lines > LINES_PER_SECOND:
            self._dropped += 1
        elif line:
            self._log.event("info", line, stream=self._name)

    def _tell_dropped(self) -> None:
        if self._dropped:
            self._log.event(
                "warning", "the plugin printed too much", stream=self._name, dropped=self._dropped
            )
            self._dropped = 0
