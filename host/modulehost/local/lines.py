"""The log of a host, for people."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from modulehost.shared.errors import one_line

_LOOK: Final = 0.05  # seconds between two looks at a log
_LAST: Final = 0.5  # seconds that the last line of an operation may take

Line = dict[str, Any]


def parse(text: bytes) -> Line:
    """A line of the log; what is no JSON, like a traceback of Python's own, is its event."""
    try:
        line = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        line = None
    return line if isinstance(line, dict) else {"event": text.decode("utf-8", "replace")}


def shown(line: Line, *, without: tuple[str, ...] = ()) -> list[str]:
    """A line for people: time (UTC), level, event, key=value; a traceback stands below."""
    rest = {key: value for key, value in line.items() if key not in without}
    stamp = str(rest.pop("timestamp", ""))[11:19]
    level = str(rest.pop("level", ""))
    event = one_line(str(rest.pop("event", "")))
    if event == "progress" and event in rest:
        event = one_line(f"progress: {rest.pop('progress')}")
    below = str(rest.pop("exception", "")).splitlines()
    pairs = [f"{key}={_word(value)}" for key, value in rest.items()]
    head = " ".join([f"{stamp:8} {level:7} {event}", *pairs]).rstrip()
    return [head, *(f"  {one_line(text) if text.isspace() else _clean(text)}" for text in below)]


def _clean(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def _word(value: object) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    is_plain = text.isprintable() and text and " " not in text
    return text if is_plain else msgspec.json.encode(_clean(text)).decode()


class Tail:
    """Hands out the lines of a log as they come, in a thread, while the block is there."""

    def __init__(self, path: Path, show: Callable[[Line], None]) -> None:
        self._path = path
        self._show = show
        self._ended = threading.Event()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._offset = path.stat().st_size if path.exists() else 0

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._is_over.wait(_LAST)
        self._ended.set()
        self._thread.join()

    def _follow(self) -> None:
        while True:
            is_last = self._ended.wait(_LOOK)
            for line in self._news():
                try:
                    self._show(line)
                except BrokenPipeError:
                    return  # nobody reads any more
                if line["event"] in ("operation finished", "call refused"):
                    self._is_over.set()
            if is_last:
                return

    def _news(self) -> Iterator[Line]:
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                text = file.read()
        except OSError:
            return
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.splitlines():
            yield {"event": "", **parse(line)}
