"""The keeper's few log lines, in the form of all others, without what makes those.

They are never waited for: what cannot be written at once is dropped, and counted in a later line.
"""

from __future__ import annotations

import os
import select
import time

MAX_LINE = 4096  # bytes, as in shared/logs.py

_dropped = 0


def log(level: str, event: str, **values: object) -> None:
    """Write one event; what makes its line longer than others may be is cut."""
    global _dropped
    while len(line := _line(level, event, values)) > MAX_LINE:
        longest = max(values, key=lambda name: len(str(values[name])))
        text = str(values[longest])
        values |= {longest: f"{text[: len(text) // 2]}…", "truncated": True}
    if _dropped and _write(_line("warning", "log lines were dropped", {"count": _dropped})):
        _dropped = 0
    if not _write(line):
        _dropped += 1


def _write(line: bytes) -> bool:
    """Write the line unless that would have to wait; whether it could be."""
    try:
        os.pwritev(1, [line], -1, os.RWF_NOWAIT)
        return True
    except BlockingIOError:
        return False
    except (OSError, NotImplementedError, AttributeError):
        pass  # a file, a terminal, another kernel: there it is enough to ask before
    poll = select.poll()
    poll.register(1, select.POLLOUT)
    try:
        return bool(poll.poll(0)) and os.write(1, line) > 0
    except OSError:
        return False


def _line(level: str, event: str, values: dict[str, object]) -> bytes:
    """The line of an event; in the console's form on a terminal."""
    style = os.environ.get("MODULE_LOG_FORMAT", "").lower()
    now = time.time()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
    if style == "console" or (style != "json" and os.isatty(1)):
        pairs = " ".join(f"{key}={value}" for key, value in values.items() if value != "")
        line = f"{stamp[11:]} {level:7} {event} {pairs}"
    else:
        first = {"timestamp": f"{stamp}.{int(now % 1 * 1000):03}Z", "level": level, "event": event}
        pairs = ",".join(f'"{k}":{_json(v)}' for k, v in (first | values).items() if v != "")
        line = f"{{{pairs}}}"
    return line.rstrip().encode("utf-8", "replace") + b"\n"


def _json(value: object) -> str:
    if isinstance(value, int):
        return str(value).lower()  # True, too
    text = str(value)
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    from json import dumps

    return dumps(text)
