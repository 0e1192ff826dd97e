"""What libraries log through the standard library, as lines of the host's log."""

from __future__ import annotations

from modulehost.shared.log_records import write_record
from modulehost.shared.logs import Log


def take_over(log: Log) -> None:
    """Have the root logger write to the host's log."""
    import logging

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            write_record(log, record)

    logging.basicConfig(handlers=[Handler()], level=log.level)
