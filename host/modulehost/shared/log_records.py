"""What the standard library's ``logging`` says, as lines of ours: of gunicorn and of plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from modulehost.shared.describe import traceback_of
from modulehost.shared.errors import one_line
from modulehost.shared.logs import LEVELS, Log, text_of

if TYPE_CHECKING:
    from logging import LogRecord

_LONGEST_MESSAGE: Final = 2000  # characters


def write_record(log: Log, record: LogRecord, **bound: object) -> None:
    """Log a record with its level, its logger and its traceback. Never raises."""
    values: dict[str, object] = {**bound, "logger": record.name}
    try:
        message = record.getMessage()
    except Exception as error:  # noqa: BLE001 - of the plugin's arguments
        args = record.args if isinstance(record.args, tuple) else (record.args,)
        message = " ".join(map(text_of, (record.msg, *args)))
        values["wrong_log_call"] = text_of(error)
    if log.redact:
        message = log.redact(message)  # before it is cut
    if record.exc_info and record.exc_info[1]:
        values["exception"] = traceback_of(record.exc_info[1])
    if record.stack_info:
        values["stack"] = record.stack_info
    log.event(_level_of(record.levelno), one_line(message, _LONGEST_MESSAGE), **values)


def _level_of(number: int) -> str:
    """The highest of our levels that is not above that of a record."""
    return next((name for name in reversed(LEVELS) if LEVELS[name] <= number), "debug")
