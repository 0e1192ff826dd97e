"""Runs a program for a hook: starts it, feeds it, and sees to its end and that of its group."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO, Final, NamedTuple

from modulehost.plugin.program_output import OutputFile
from modulehost.shared.errors import ModuleError
from modulehost.shared.linux import LONGEST_POLL, SIGKILL, SIGTERM

_PIECE: Final = 1 << 16  # bytes of input at a time


class Bounds(NamedTuple):
    """What ends a program before its time: seconds from now, and a descriptor to be readable.

    ``grace`` is the seconds that it then has to end by itself.
    """

    seconds: float
    cancel_fd: int
    grace: float


class Program:
    """One that runs, in a process group of its own."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        data: bytes | None,
        stdout: OutputFile | None,
        env: Mapping[str, str] | None,
        cwd: str | os.PathLike[str] | None,
    ) -> None:
        """Starts it; raises ModuleError when that is not possible."""
        self.name = os.path.basename(argv[0])  # noqa: PTH119 - may be any text
        self._input = memoryview(data or b"")
        try:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL if data is None else subprocess.PIPE,
                stdout=subprocess.PIPE if stdout is None else stdout.fd,
                stderr=subprocess.PIPE,
                env=env,
                cwd=cwd,
                start_new_session=True,
            )
        except OSError as error:
            where = "" if cwd is None else f" in {os.fspath(cwd)}"
            raise ModuleError(f"{self.name} cannot be run{where}: {error.strerror}") from error
        self.stdout, self.stderr = self._process.stdout, self._process.stderr

    @property
    def status(self) -> int:
        """How it ended: the exit status, negative for a signal."""
        return self._process.wait()

    def wait(self, bounds: Bounds) -> bool:
        """Feed it and wait for its end; whether it came within its bounds.

        Otherwise its group gets SIGTERM, and SIGKILL when half the grace is over.
        """
        has_ended = False
        try:
            pidfd = os.pidfd_open(self._process.pid)
            try:
                has_ended = self._ends(pidfd, bounds.seconds, bounds.cancel_fd)
                if not has_ended:
                    self._signal_group(SIGTERM)
                    self._ends(pidfd, bounds.grace / 2)
            finally:
                os.close(pidfd)
        finally:
            if not has_ended:
                self._signal_group(SIGKILL)
            self._process.wait()
            if self._process.stdin is not None:
                self._close(self._process.stdin)
        return has_ended

    def _ends(self, pidfd: int, seconds: float, cancel_fd: int | None = None) -> bool:
        """Whether it does in this time, and before it is cancelled."""
        ends = time.monotonic() + seconds
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        if cancel_fd is not None:
            poll.register(cancel_fd, select.POLLIN)
        stdin = self._process.stdin
        if stdin is not None and not stdin.closed:
            os.set_blocking(stdin.fileno(), False)  # this end of the pipe is nobody else's
            poll.register(stdin.fileno(), select.POLLOUT)
        while True:
            left = max(0.0, ends - time.monotonic())
            ready = {fd for fd, _ in poll.poll(min(left * 1000, LONGEST_POLL))}
            if cancel_fd in ready:
                return False
            if pidfd in ready:
                return True
            if not left:
                return False
            if stdin is not None and not stdin.closed and stdin.fileno() in ready:
                self._feed(stdin, poll)

    def _feed(self, stdin: IO[bytes], poll: select.poll) -> None:
        fd = stdin.fileno()
        try:
            self._input = self._input[os.write(fd, self._input[:_PIECE]) :]
        except BlockingIOError:
            return
        except OSError:
            self._input = self._input[:0]  # a program need not read its input
        if not self._input:
            poll.unregister(fd)
            self._close(stdin)

    @staticmethod
    def _close(stdin: IO[bytes]) -> None:
        with suppress(OSError):
            stdin.close()

    def _signal_group(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)
