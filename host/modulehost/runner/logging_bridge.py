"""What libraries log through the standard library, as lines of the host's log."""

from __future__ import annotations

from modulehost.shared.describe import traceback_of
from modulehost.shared.logs import LEVELS, Log, words_of


def take_over(log: Log) -> None:
    """Have the root logger write to the host's log."""
    import logging

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            error = record.exc_info and record.exc_info[1]
            extra = {"exception": traceback_of(error)} if error else {}
            level = record.levelname.lower()
            level = level if level in LEVELS else "info"
            log.event(level, **words_of(record), logger=record.name, **extra)

    logging.basicConfig(handlers=[Handler()], level=log.level)
