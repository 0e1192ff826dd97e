"""What a plugin prints, turned into log lines: cut, counted, dropped, never kept in memory."""

from __future__ import annotations

import threading
import time
from typing import IO, Final

from modulehost.front.refused import Refused
from modulehost.shared.logs import Log
from modulehost.shared.redaction import Redactor
from modulehost.shared.stream_lines import read_lines

LONGEST_LINE: Final = 3000
"""Bytes after which a line is cut."""

LINES_PER_SECOND: Final = 500
"""More than that are counted, and dropped."""


class Output(threading.Thread):
    """Reads one stream to its end."""

    def __init__(
        self, stream: IO[bytes], name: str, log: Log, redactor: Redactor, refused: Refused
    ) -> None:
        super().__init__(name=f"plugin's {name}", daemon=True)
        self._stream, self._name, self._log = stream, name, log
        self._redactor = redactor
        self._refused = refused
        self._second = 0
        self._lines = 0
        self._dropped = 0

    def run(self) -> None:
        with self._stream:
            stream = self._redactor.stream()
            for lines in read_lines(self._stream.fileno(), stream, LONGEST_LINE):
                self._take(lines)
        self._tell_dropped()

    def _take(self, lines: list[bytes]) -> None:
        second = int(time.monotonic())
        if second != self._second:
            self._tell_dropped()
            self._second, self._lines = second, 0
        shown = lines[: max(0, LINES_PER_SECOND - self._lines)]
        self._lines += len(shown)
        self._dropped += len(lines) - len(shown)
        for line in shown:
            text = line.decode("utf-8", "backslashreplace").rstrip()
            self._log.event("info", text, stream=self._name)
            self._refused.look(text)

    def _tell_dropped(self) -> None:
        if self._dropped:
            self._log.event(
                "warning", "the plugin printed too much", stream=self._name, dropped=self._dropped
            )
            self._dropped = 0
