"""What a hook is given: the config, a log, the time that is left, and a way to be cancelled."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, Protocol, TypeVar

from modulehost.plugin.cancellation import Cancellation
from modulehost.plugin.secret import Secret
from modulehost.shared.errors import Cancelled, ModuleError
from modulehost.shared.linux import describe_exit
from modulehost.shared.redaction import Redactor

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from structlog.typing import FilteringBoundLogger

    from modulehost.plugin.ledger import Created, Ledger
    from modulehost.plugin.store import Store
    from modulehost.shared.settings import Settings

C = TypeVar("C")


class Host(Protocol):
    """What a Context asks of the host: the runner's operation, or a test's stand-in.

    ``grace`` is the seconds that a cancelled operation has to stop.
    """

    grace: float
    redactor: Redactor

    @property
    def metadata(self) -> dict[str, Any] | None:
        """The operation's; None in health."""

    @property
    def settings(self) -> Settings:
        """Those of the host."""

    def log(self) -> FilteringBoundLogger:
        """A logger, bound to the operation."""

    def checkpoint(self) -> None:
        """Keep the metadata as it is now."""

    def progress(self, text: str, /) -> None:
        """Say how far the operation is."""

    def program_failed(self, output: str, /) -> None:
        """Look at what a program has written that has failed."""

    def redact(self, secrets: Iterable[str], /) -> None:
        """Have the host show none of them from now on."""


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

    def creating(self, kind: str, name: str, /, **details: Any) -> AbstractContextManager[Created]:
        """Note a thing in the ledger, have the block make it, and confirm it.

        ``with ctx.creating("database", "shop"):``. The note is kept before the block begins,
        whatever happens to this process; it is confirmed, and that is kept, when the block has
        ended without an exception. A thing of that kind and name that is known already stays
        where it is in the order. ``details`` are JSON values that are noted with it; the block can
        add to them: it is given the ``Created``.

        Raises ``ModuleError`` when the metadata is not JSON or has no room; ``TypeError`` for
        what is no text.
        """
        return self._ledger("creating").creating(kind, name, details)

    def created(self, kind: str | None = None) -> list[Created]:
        """What is in the ledger, the newest first: all, or those of a kind."""
        things = self._ledger("created").created()
        return [made for made in things if kind in (None, made.kind)]

    def removed(self, kind: str, name: str) -> None:
        """Take a thing out of the ledger, which is kept: call it when the thing is gone."""
        self._ledger("removed").removed(kind, name)

    def _ledger(self, asked: str) -> Ledger:
        from modulehost.plugin.ledger import Ledger  # not every plugin has one

        metadata = self._host.metadata
        if metadata is None:
            raise ModuleError(f"{asked}: health has no metadata; use it in an operation")
        return Ledger(metadata, self._host.checkpoint)

    def retry(
        self,
        *,
        on: type[BaseException] | tuple[type[BaseException], ...],
        attempts: int | None = None,
        wait: float = 0.5,
        longest_wait: float = 30.0,
    ) -> Iterator[AbstractContextManager[Any, bool | None]]:
        """Try a block again while it raises ``on``: ``for attempt in ...: with attempt: ...``.

        For what may pass: the operator never repeats a call. The seconds in between double,
        from ``wait`` to ``longest_wait``, with some chance in them. The last exception comes out
        once there have been as many ``attempts``, or the next wait would end after the deadline.

        Raises ``Cancelled`` at once when the operation should stop; ``ModuleError`` without the
        extra ``modulehost[retry]``.
        """
        from modulehost.plugin.retrying import attempts as tries

        return tries(self, on, attempts, wait, longest_wait)

    def progress(self, text: str) -> None:
        """Say how far the operation is: shown by ``GET /health`` and logged."""
        self._host.progress(text)

    def redact(self, value: str | bytes | Secret[Any]) -> None:
        """Have stars for this value from now on, wherever the plugin prints, logs or fails with it.

        For what a hook learns on its way, such as a password that it has made up. Call it before
        the value is used. What has fewer than four characters would blot every other line: it is
        not redacted, and a warning says so.
        """
        if isinstance(value, Secret):
            value = str(value.reveal())
        text = value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value
        if not isinstance(text, str):
            raise TypeError(f"redact takes text, not {type(value).__name__}")
        self._host.redact([text])

    @property
    def store(self) -> Store:
        """What outlives the pod, and is too large for the metadata; where MODULE_STORE says.

        Raises ``ModuleError`` when none is configured, or it is not there.
        """
        from modulehost.plugin.store import Store, back_end  # not every plugin has one

        return Store(self, back_end(self._host.settings.store, self.redact))

    def secret(
        self, name: str, key: str, *, make: Callable[[], str | Secret[str]] | None = None
    ) -> Secret[str]:
        """The value of a secret, from where MODULE_SECRETS says; redacted from now on.

        That is a Kubernetes Secret of the workspace, of the pod's namespace without one, or of
        that in ``"NAMESPACE/NAME"``; a file ``NAME/KEY`` of a folder; or a variable NAME_KEY.
        With ``make``, such as ``lambda: secrets.token_urlsafe(24)``, one that is not there is made
        and kept there, and is in the ledger as ``secret NAME``: what is made once comes again.

        Raises ``ModuleError`` when there is none, or where it is kept cannot be reached;
        ``ValueError`` for what can be no name or key.
        """
        from modulehost.plugin import secret_sources  # dear, and not every plugin has some

        return secret_sources.secret(self, self._host.settings.secrets, name, key, make)

    def remove_secret(self, name: str) -> None:
        """Remove what ``secret(..., make=...)`` has made, and take it out of the ledger.

        Content when there is none; what the module has not made stays.
        """
        from modulehost.plugin import secret_sources

        secret_sources.remove(self, self._host.settings.secrets, name)

    def run(
        self,
        argv: Sequence[str | os.PathLike[str]],
        *,
        input: str | bytes | None = None,  # noqa: A002 - as in subprocess.run
        env: Mapping[str, str] | None = None,
        env_extra: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        stdout: str | os.PathLike[str] | None = None,
        timeout: float | None = None,
        check: bool = True,
        log: bool = True,
    ) -> Completed:
        """Run a program; a cancellation ends it with all of its process group.

        Its output is logged line by line, unless ``log`` is false, and the last MiB of each stream
        is given back. ``stdout`` is a file for its standard output, which then is neither logged
        nor given back: it gets mode 0600, and its name only when the program has succeeded.
        ``env`` replaces the environment, ``env_extra`` adds to it. After ``timeout`` seconds the
        program is ended as a cancellation would.

        Raises ``ModuleError`` when the program cannot be started, does not end in time, or, with
        ``check``, fails: its last line on stderr is the reason. Raises ``Cancelled`` after the
        group has ended; ``TypeError`` and ``ValueError`` for arguments that cannot be meant.
        """
        # dear, and not every plugin runs programs
        from modulehost.plugin import program_arguments as arguments
        from modulehost.plugin.program_output import OutputFile, Reader
        from modulehost.plugin.programs import Bounds, Program

        command = arguments.checked_argv(argv)
        data = arguments.checked_input(input)
        environ = arguments.checked_env(env, env_extra)
        arguments.check_timeout(timeout)
        self.raise_if_cancelled()
        # an operation is cancelled by the front at its deadline; nobody does so for health
        left = self.remaining() if self.operation == "health" else math.inf
        bounds = Bounds(min(left, timeout or math.inf), self._cancellation.fd, self._host.grace)
        with nullcontext() if stdout is None else OutputFile(stdout) as file:
            program = Program(command, data=data, stdout=file, env=environ, cwd=cwd)
            lines = self.log if log else None
            readers = [
                Reader(stream, program.name, self._host.redactor, lines) if stream else None
                for stream in (program.stdout, program.stderr)
            ]
            has_ended = program.wait(bounds)
            status = program.status
            out, err = (reader.text() if reader else "" for reader in readers)
            if status:
                self._host.program_failed(f"{out}\n{err}")
            self.raise_if_cancelled()
            if not has_ended and timeout is not None and timeout < left:
                raise ModuleError(f"{program.name} did not end within {timeout:g} s")
            if not has_ended:
                raise Cancelled("its deadline passed")
            if check and status:
                words = self._host.redactor.text(err.strip() or out.strip() or "it said nothing")
                last = words.splitlines()[-1]
                raise ModuleError(f"{program.name} ended with {describe_exit(status)}: {last}")
            if file is not None:
                file.keep()
        return Completed(status, out, err)
