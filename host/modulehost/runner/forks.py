"""Processes that the plugin forks from a runner: they never speak for it."""

from __future__ import annotations

import os
import sys
from os import _exit
from typing import NoReturn

from modulehost.shared.channel import Channel
from modulehost.shared.describe import is_a, text_of, traceback_of


def close_in_each(*channels: Channel) -> None:
    """Have each process that Python forks from this one lose its ends of the channels.

    What has been printed is written before that, or both would write it.
    """

    def close() -> None:
        for channel in channels:
            channel.close()

    os.register_at_fork(before=flush, after_in_child=close)


def leave(error: BaseException | None) -> NoReturn:
    """End a forked process as Python ends a script that raised the error, or none.

    What is registered for Python's own end is the runner's, so it is not called.
    """
    status = 1
    try:
        code = getattr(error, "code", 1) if is_a(error, SystemExit) else error
        if code is None:
            status = 0
        elif is_a(code, int):
            status = int.__add__(code, 0) & 0xFF  # type: ignore[operator]
        else:
            said = traceback_of(error) if error is not None and code is error else text_of(code)
            sys.stderr.write(f"{said}\n")
    except BaseException:  # noqa: BLE001, S110 - of an exception or a stream of the plugin's
        pass
    finally:
        flush()
        _exit(status)


def flush() -> None:
    """Write what was printed, whatever stands in for the streams."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:  # noqa: BLE001, S110 - of a stream of the plugin's
            pass
