"""What a hook is given: the config, a log, the time that is left, and a way to be cancelled."""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import IO, TYPE_CHECKING, Final, Generic, NamedTuple, Protocol, TypeVar

from modulehost.shared.errors import Cancelled, ModuleError
from modulehost.shared.linux import LONGEST_POLL, SIGKILL, SIGTERM, describe_exit

if TYPE_CHECKING:
    import subprocess

    from structlog.typing import FilteringBoundLogger

C = TypeVar("C")

MAX_OUTPUT: Final = 1 << 20
"""Bytes of each of a child's outputs that ``Context.run`` gives back: the last ones."""

_LONGEST_LINE: Final = 2000
_DRAIN: Final = 0.5  # seconds for output that grandchildren hold open
_UNREAD: Final = 80_000  # bytes that a pipe and a reader's buffers hold of it at most


class Cancellation:
    """Set once, from another thread; whoever waits is woken."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._fd = -1
        self._closed = False
        self.reason = ""

    @property
    def fd(self) -> int:
        """A descriptor that is readable once it is cancelled; made when it is first asked for.

        Raises ``Cancelled`` once the operation is over.
        """
        with self._lock:
            if self._closed:
                raise Cancelled("its operation has ended")
            if self._fd < 0:
                self._fd = os.eventfd(self._event.is_set(), os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            return self._fd

    def set(self, reason: str) -> None:
        """Cancel; the first reason stays."""
        with self._lock:
            if self._closed or self._event.is_set():
                return
            self.reason = reason
            self._event.set()
            if self._fd >= 0:
                os.eventfd_write(self._fd, 1)

    def is_set(self) -> bool:
        """Whether it was cancelled."""
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait until it is cancelled or the time is over; whether it is."""
        return self._event.wait(min(seconds, threading.TIMEOUT_MAX))

    def close(self) -> None:
        """Give back the descriptor; what comes later is ignored."""
        with self._lock:
            self._closed = True
            if self._fd >= 0:
                try:
                    os.close(self._fd)
                except OSError:
                    pass  # the plugin has closed it
            self._fd = -1


class Host(Protocol):
    """What a Context asks of the host: the runner's operation, or a test's stand-in.

    ``grace`` is the seconds that a cancelled operation has to stop.
    """

    grace: float

    def log(self) -> FilteringBoundLogger:
        """A logger, bound to the operation."""

    def checkpoint(self) -> None:
        """Keep the metadata as it is now."""

    def progress(self, text: str, /) -> None:
        """Say how far the operation is."""


class Completed(NamedTuple):
    """How a child process ended: the exit status (negative: the signal) and its last output."""

    status: int
    stdout: str
    stderr: str


class Context(Generic[C]):
    """The first argument of every hook.

    ``operation`` is install, uninstall, sleep, resume or health; ``request_id`` is in every log
    line of the call; ``config`` is an instance of the plugin's config class, or the values as
    they are for a plugin without one; ``kubeconfig`` is the path of the workspace's kubeconfig,
    None without the permission ``workspace``.
    """

    def __init__(
        self,
        *,
        operation: str,
        request_id: str,
        config: C,
        kubeconfig: str | None,
        deadline: float,
        cancellation: Cancellation,
        host: Host,
    ) -> None:
        self.operation: Final = operation
        self.request_id: Final = request_id
        self.config: Final[C] = config
        self.kubeconfig: Final = kubeconfig
        self._ends = time.monotonic() + deadline
        self._cancellation = cancellation
        self._host = host

    @property
    def log(self) -> FilteringBoundLogger:
        """A structlog logger, bound to operation, plugin and request id."""
        return self._host.log()

    def remaining(self) -> float:
        """Seconds until the deadline; 0 when it has passed."""
        return max(0.0, self._ends - time.monotonic())

    @property
    def cancelled(self) -> bool:
        """Whether the operation should stop: the deadline passed, the client hung up, ..."""
        return self._cancellation.is_set()

    def raise_if_cancelled(self) -> None:
        """Raise ``Cancelled`` when the operation should stop; for use between two steps."""
        if self._cancellation.is_set():
            raise Cancelled(self._cancellation.reason)

    def wait(self, seconds: float) -> None:
        """Sleep, but raise ``Cancelled`` at once when the operation should stop."""
        self._cancellation.wait(seconds)
        self.raise_if_cancelled()

    def checkpoint(self) -> None:
        """Keep the metadata as it is now, whatever happens to this process afterwards.

        Returns when it is kept. Raises ``ModuleError`` with the path to the value when the
        metadata is not JSON.
        """
        self._host.checkpoint()

    def progress(self, text: str) -> None:
        """Say how far the operation is: shown by ``GET /health`` and logged."""
        self._host.progress(text)

    def run(
        self,
        argv: Sequence[str | os.PathLike[str]],
        *,
        input: str | None = None,  # noqa: A002 - as in subprocess.run
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        check: bool = True,
    ) -> Completed:
        """Run a program; a cancellation ends it with all of its process group.

        Its output is logged line by line, and the last MiB of each stream is given back.
        ``env`` replaces the environment. Raises ``ModuleError`` when the program cannot be
        started, or, with ``check``, when it fails: its last line on stderr is the reason.
        Raises ``Cancelled`` after the group has ended.
        """
        import subprocess  # dear, and not every plugin runs programs

        self.raise_if_cancelled()
        name = os.path.basename(os.fspath(argv[0]))  # noqa: PTH119 - may be any text
        try:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=env,
                cwd=cwd,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
        except OSError as error:
            where = "" if cwd is None else f" in {os.fspath(cwd)}"
            raise ModuleError(f"{name} cannot be run{where}: {error.strerror}") from error
        outputs = [_Output(process.stdout, name, self.log), _Output(process.stderr, name, self.log)]
        try:
            if input is not None:
                threading.Thread(target=_feed, args=(process.stdin, input), daemon=True).start()
            self._wait_for(process)
        finally:
            if process.returncode is None or self.cancelled:
                _signal_group(process.pid, SIGKILL)
                process.wait()
        stdout, stderr = (output.text() for output in outputs)
        self.raise_if_cancelled()
        if check and process.returncode:
            last = (stderr.strip() or stdout.strip() or "it said nothing").splitlines()[-1]
            raise ModuleError(f"{name} ended with {describe_exit(process.returncode)}: {last}")
        return Completed(process.returncode, stdout, stderr)

    def _wait_for(self, process: subprocess.Popen[str]) -> None:
        """Wait for the end; once cancelled, SIGTERM, and SIGKILL when half the grace is over."""
        pidfd = os.pidfd_open(process.pid)
        try:
            poll = select.poll()
            poll.register(pidfd, select.POLLIN)
            poll.register(self._cancellation.fd, select.POLLIN)
            # an operation is cancelled by the front at its deadline; nobody does so for health
            if not poll.poll(self.remaining() * 1000 if self.operation == "health" else None):
                self._cancellation.set("its deadline passed")
            if self.cancelled:
                _signal_group(process.pid, SIGTERM)
                poll.unregister(self._cancellation.fd)
                poll.poll(min(self._host.grace / 2 * 1000, LONGEST_POLL))
            else:
                process.wait()
        finally:
            os.close(pidfd)


class _Output(threading.Thread):
    """Logs a stream line by line and keeps the end of it."""

    def __init__(self, stream: IO[str] | None, name: str, log: FilteringBoundLogger) -> None:
        super().__init__(daemon=True, name=f"output of {name}")
        assert stream is not None  # noqa: S101 - Popen was given PIPE
        self._stream, self._name, self._log = stream, name, log
        self._lines: deque[str] = deque()
        self._size = 0
        self._read = 0
        self.start()

    def run(self) -> None:
        with self._stream:
            while line := self._stream.readline(_LONGEST_LINE):
                self._lines.append(line)
                self._size += len(line)
                self._read += len(line)
                while self._size > MAX_OUTPUT:
                    self._size -= len(self._lines.popleft())
                self._log.info(line.rstrip("\n"), program=self._name)

    def text(self) -> str:
        """The end of it, once the program has ended: first its last words are waited for."""
        last = self._read + _UNREAD
        before = -1
        while self.is_alive() and before < self._read < last:
            before = self._read
            self.join(_DRAIN)
        return "".join(self._lines)


def _feed(stream: IO[str] | None, text: str) -> None:
    assert stream is not None  # noqa: S101 - Popen was given PIPE
    try:
        with stream:
            stream.write(text)
    except OSError:
        pass  # a program need not read its input


def _signal_group(pid: int, number: int) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        pass
