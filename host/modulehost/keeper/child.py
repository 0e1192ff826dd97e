"""Gunicorn's process as the keeper has it: forked, watched, ended.

It is forked, not executed: so it is there sooner by the start of Python, and shares our pages.
"""

from __future__ import annotations

import os
import time

from modulehost.keeper import signals

TYPE_CHECKING = False  # typing.TYPE_CHECKING without the import of typing
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

STOP_TIMEOUT = 27.0  # s; Kubernetes kills after 30
LAST_WAIT = 1.0  # s; a process that was killed and is still there then is in the kernel's hands
LONGEST_REASON = 1000  # characters

SIGHUP, SIGKILL, SIGTERM = 1, 9, 15


class Child:
    """The process that ``work`` is done in. One at a time."""

    def __init__(self, work: Callable[[], int], come: signals.Signals) -> None:
        self._work = work
        self._come = come
        self._pid = 0
        self._stop_by: float | None = None

    def send(self, number: int) -> None:
        """Send it a signal, if it is there."""
        if self._pid:
            try:
                os.kill(self._pid, number)
            except OSError:
                pass  # it has just ended

    @property
    def time_to_stop(self) -> float:
        """Seconds until it is killed, once we are to stop."""
        if self._stop_by is None:
            self._stop_by = time.monotonic() + STOP_TIMEOUT
        return self._stop_by - time.monotonic()

    def run(self) -> tuple[int, str]:
        """Have it work until it ends, or we are to stop; exit status, and why it could not go on.

        The status is negative for a signal.
        """
        try:
            self._pid, report = self._fork()
        except OSError as error:
            return 1, f"no process can be made: {error.strerror}"
        try:
            return self._wait(), _read(report)
        finally:
            self._pid = 0
            os.close(report)

    def _wait(self) -> int:
        ends: float | None = None
        last = SIGTERM
        while (status := exit_status(self._pid)) is None:
            now = time.monotonic()
            if self._come.stopping and ends is None:
                ends = now + self.time_to_stop
                self.send(SIGTERM)
            elif ends is not None and now >= ends:
                if last == SIGKILL:
                    return -SIGKILL
                last, ends = SIGKILL, now + LAST_WAIT
                self.send(SIGKILL)
            self._come.wait(None if ends is None else ends - now)
        return status

    def _fork(self) -> tuple[int, int]:
        """Start it; its id, and where it reports."""
        report, reporter = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        keeper = os.getpid()
        # a signal between fork and the child's own handlers must not run ours in the child
        signals.block()
        try:
            pid = os.fork()
            if pid == 0:
                self._become(keeper, reporter)
            return pid, report
        except BaseException:
            os.close(report)
            raise
        finally:
            signals.unblock()
            os.close(reporter)

    def _become(self, keeper: int, reporter: int) -> NoReturn:
        from modulehost.shared import linux

        status = 1
        try:
            linux.die_with_parent(keeper)
            signals.restore(stops_wait=self._come.stopping)  # gunicorn begins, and stops
            os.setsid()  # the terminal's Ctrl-C is for the keeper alone
            status = self._work()
        except SystemExit as error:
            status = error.code if isinstance(error.code, int) else 1
        except BaseException as error:  # noqa: BLE001 - it becomes the reason
            os.write(reporter, in_words(error).encode("utf-8", "replace"))
        finally:
            os._exit(status)


def exit_status(pid: int) -> int | None:
    """How a child ended (negative: the signal), None while it runs. Orphans are reaped, too."""
    while True:
        try:
            ended, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return -SIGKILL
        if ended == 0:
            return None
        if ended == pid:
            return os.waitstatus_to_exitcode(status)


def in_words(error: BaseException) -> str:
    """An exception in one line."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(f"{type(error).__name__}: {text}".split())[:LONGEST_REASON]


def _read(report: int) -> str:
    """What it reported; who still holds its pipe is not waited for."""
    try:
        return os.read(report, 4 * LONGEST_REASON).decode("utf-8", "replace")
    except BlockingIOError:
        return ""
