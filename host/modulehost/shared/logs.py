"""Log lines: one event a line, as JSON or, on a terminal, in colour. A log call never raises.

Plugins log through structlog. The host's own processes write their few events straight to
``Log.event``, in the same form: structlog's imports are 10 MiB, and each module pays for them.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, MutableMapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from modulehost.shared.late import import_with_late
from modulehost.shared.line_writer import MAX_LINE, LineWriter

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}

_METHODS: Final = (*LEVELS, "exception", "fatal", "log", "msg", "warn")
_RESERVED: Final = ("event", "method_name")

Event = MutableMapping[str, Any]
Redact = Callable[[str], str]


class Log:
    """Where lines go and how they look. One of it a process."""

    def __init__(
        self, fd: int, level: str, style: str | None, redact: Redact | None = None
    ) -> None:
        self._writer = LineWriter(fd, self._dropped)
        self.level = LEVELS[level]
        self.console = (style or ("console" if os.isatty(fd) else "json")) == "console"
        self.redact = redact
        self._bound: FilteringBoundLogger | None = None

    @property
    def structlog(self) -> FilteringBoundLogger:
        """The structlog logger that writes here."""
        if self._bound is None:
            # rich draws tracebacks, asyncio is for ``ainfo``: two thirds of structlog's time
            # and it makes a LogRecord, which asks asyncio, where that is, for its task
            asyncio: dict[str, object] = {"current_task": lambda: None}
            structlog = import_with_late("structlog", {"asyncio": asyncio}, absent=("rich",))
            self._bound = structlog.wrap_logger(
                _LineLogger(self.write),
                processors=[
                    structlog.processors.add_log_level,
                    structlog.processors.StackInfoRenderer([__name__]),
                    structlog.processors.format_exc_info,
                    self.render,
                ],
                wrapper_class=_unfailing(structlog.make_filtering_bound_logger(self.level)),
                cache_logger_on_first_use=True,
            )
        return self._bound

    def event(self, level: str, event: str, **values: object) -> None:
        """Log one event of the host's own."""
        if LEVELS[level] >= self.level:
            self.write(self._line(level, event, **values))

    def render(self, _logger: object, _method: str, event: Event) -> bytes:
        """The line of an event, newline included: structlog's last processor."""
        first = {"timestamp": _now(), "level": event["level"], "event": event.get("event", "")}
        line = {**first, **event, **first}
        if redact := self.redact:
            try:
                line = _redacted(line, redact)
            except Exception:  # noqa: BLE001 - it holds itself, or is a dict of somebody else's
                line = {redact(text_of(key)): redact(text_of(value)) for key, value in line.items()}
        return _console(line) if self.console else _json(line)

    def write(self, line: bytes) -> None:
        """Put a line out; never waits for whoever reads the log."""
        self._writer.write(line)

    def _dropped(self, count: int) -> bytes:
        return self._line("warning", "log lines were dropped", count=count)

    def _line(self, level: str, event: str, **values: object) -> bytes:
        return self.render(None, level, {"event": event, "level": level, **values})


def format_error(error: BaseException) -> str:
    """The traceback as one text."""
    import traceback

    return "".join(traceback.format_exception(error)).rstrip()


def _unfailing(logger: type[FilteringBoundLogger]) -> type[FilteringBoundLogger]:
    """structlog's class with methods that log what is wrong with their arguments."""
    methods = {name: _unfailing_method(logger, name) for name in _METHODS}
    return type(logger.__name__, (logger,), methods)


def _unfailing_method(logger: type, name: str) -> Callable[..., None]:
    method = getattr(logger, name)
    plain = getattr(logger, name if name in LEVELS else "warning")

    def log(self: object, /, *args: object, **values: object) -> None:
        try:
            method(self, *args, **values)
            return
        except Exception as error:  # noqa: BLE001 - of the plugin's arguments
            problem = text_of(error)
        # not above: there exc_info would stand for this error, and not for the plugin's
        said = {f"{key}_" if key in _RESERVED else key: values[key] for key in values}
        plain(self, " ".join(map(text_of, args)), **said, wrong_log_call=problem)

    return log


class _LineLogger:
    """What structlog calls at the end: every level is the same to it."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self.debug = self.info = self.warning = self.error = self.critical = write
        self.msg = self.exception = self.err = self.warn = self.fatal = self.log = write


def _redacted(value: Any, redact: Redact) -> Any:
    """The value without secrets; an object goes out as its repr."""
    if type(value) is str:
        return redact(value)
    match value:
        case None | bool():
            return value
        case int() | float():
            text = repr(value)
            return value if (shown := redact(text)) == text else shown
        case dict():
            return {
                redact(key if type(key) is str else text_of(key)): _redacted(item, redact)
                for key, item in value.items()
            }
        case list() | tuple():
            return [_redacted(item, redact) for item in value]
    return redact(text_of(value))


def _now() -> str:
    seconds = time.time()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{stamp}.{int(seconds % 1 * 1000):03}Z"


_encoder = msgspec.json.Encoder(enc_hook=repr)


def _json(line: dict[str, Any]) -> bytes:
    encoded = _encode(line)
    while len(encoded) >= MAX_LINE:
        longest = max(line, key=lambda key: len(_encode(line[key])))
        size = len(_encode(line[longest]))
        text = line[longest] if isinstance(line[longest], str) else repr(line[longest])
        keep = max(0, min(len(text) - 1, size - (len(encoded) - MAX_LINE) - 64) // 2)
        line = {**line, longest: text[:keep] + "…", "truncated": True}
        if keep == 0 and len(encoded) == len(encoded := _encode(line)):
            line = {key: line[key] for key in ("timestamp", "level", "truncated")}
        encoded = _encode(line)
    return encoded + b"\n"


def _encode(value: object) -> bytes:
    try:
        return _encoder.encode(value)
    except Exception:  # noqa: BLE001 - whatever a plugin logs, the line comes out
        if isinstance(value, dict):
            return _encoder.encode({text_of(key): text_of(item) for key, item in value.items()})
        return _encoder.encode(text_of(value))


def text_of(value: object) -> str:
    """A value in words, without a lone surrogate. Never raises."""
    try:
        text = str.__str__(value) if isinstance(value, str) else repr(value)
    except Exception:  # noqa: BLE001 - a repr of somebody else's
        text = f"<{type(value).__name__} that has no repr>"
    return text.encode("utf-8", "backslashreplace").decode()


def _console(line: dict[str, Any]) -> bytes:
    """A line for people; values of several lines (tracebacks) stand below it."""
    colour = {"warning": "\x1b[33m", "error": "\x1b[31m", "critical": "\x1b[31m"}
    on, off = (colour.get(line["level"], "\x1b[1m"), "\x1b[0m") if _coloured() else ("", "")
    stamp, level, event = line.pop("timestamp"), line.pop("level"), text_of(line.pop("event"))
    head = f"{stamp[11:19]} {on}{level:7} {event}{off}"
    below = [text_of(line.pop(key)) for key in ("exception", "stack") if key in line]
    pairs = [f"{key}={_word(value)}" for key, value in line.items()]
    text = "\n".join([" ".join([head, *pairs]), *below]) + "\n"
    return text.encode("utf-8", "backslashreplace")


def _word(value: object) -> str:
    if isinstance(value, str):
        return value if value.isprintable() and value and " " not in value else repr(value)
    return text_of(value)


def _coloured() -> bool:
    return not os.environ.get("NO_COLOR") and sys.stdout is not None and os.isatty(1)
