"""The host without its processes: the runner's own code, called in this process.

What a hook is given, what becomes of what it raises and leaves behind, and what the journal gives
back are the host's code, not a copy of it. What needs a second process is not there: a hook that
hangs or dies takes the caller with it, and what it prints is printed.
"""

from __future__ import annotations

import json
import math
import os
import threading
import time
from pathlib import Path
from typing import Any, Final

from modulehost.front import outcomes
from modulehost.front.journal import RESTORED, Journal
from modulehost.plugin import discovery
from modulehost.plugin.cancellation import Cancellation
from modulehost.runner.health import Health
from modulehost.runner.hook import HookCall
from modulehost.runner.interpreter import Interpreter
from modulehost.runner.module import Module
from modulehost.runner.operation import Operation
from modulehost.runner.secrets import Secrets
from modulehost.shared import metadata
from modulehost.shared.channel import Channel
from modulehost.shared.errors import ConfigError, HostError, RequestError
from modulehost.shared.logs import Log, Redact
from modulehost.shared.records import AnyRecord, Call, Checkpoint, Done, Progress, Saved
from modulehost.shared.records import OperationName as Name
from modulehost.shared.records import Record as Message
from modulehost.shared.settings import DEFAULT_DEADLINE, Settings
from modulehost.testing.operator import SUCCESS, Operator, Outcome
from modulehost.testing.places import places

HUNG_UP: Final = "the client hung up"
STOPPING: Final = "the host is stopping"


class Lines(Log):
    """A log that is kept, a dict a line."""

    def __init__(self, lines: list[dict[str, Any]], level: str, redact: Redact | None) -> None:
        super().__init__(-1, level, "json", redact)
        self._lines = lines

    def write(self, line: bytes) -> None:
        """Keep the line."""
        self._lines.append(json.loads(line))


class _Front(Channel):
    """Takes the runner's records as the front does; the answer is there at once."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.request_id = ""
        self._saved = 0
        self.progress: list[str] = []

    def send(self, record: Message) -> None:
        match record:
            case Checkpoint(name, number, text):
                self.journal.save(name, number, text)
                self._saved = number
            case Progress(text=text):
                self.progress.append(text)

    def receive(self) -> AnyRecord:
        return Saved(self.request_id, self._saved)


class CountedCancellation(Cancellation):
    """Set by the hook itself: at its nth look."""

    def __init__(self, at: int | None, why: str) -> None:
        super().__init__()
        self._why = why
        self.looks = 0
        self.set_at = math.inf
        self._at = at

    def set(self, reason: str) -> None:
        if not super().is_set():
            self.set_at = time.monotonic()
        super().set(reason)

    def is_set(self) -> bool:
        self._look()
        return super().is_set()

    def wait(self, seconds: float) -> bool:
        self._look()
        return super().wait(seconds)

    def _look(self) -> None:
        self.looks += 1
        if self._at is not None and self.looks >= self._at:
            self.set(self._why)


class _InProcess:
    """The runner's parts, with a plugin that is loaded here, and nobody to tell but a journal."""

    def __init__(
        self, plugin: discovery.Plugin, settings: Settings, front: _Front, log: list[dict[str, Any]]
    ) -> None:
        self._module = Module(settings, -1, Secrets(None))
        self._module.log = Lines(log, settings.log_level, self._module.redactor.text)
        self._module.plugin = plugin
        self._front = front
        self._health = Health(self._module, front, Interpreter())
        self.cancel_at: int | None = None
        self.hang_up_after: float | None = None
        self.cancellation: CountedCancellation | None = None

    def answer(self, call: Call) -> Done:
        """Run an operation."""
        try:
            operation = Operation(self._module, call, self._front, self._front)
        except (ConfigError, RequestError) as error:
            return Done(call.id, "refused", str(error))
        # nobody repeats an uninstall: the host lets it go on when its client has gone
        goes_on = call.operation == "uninstall"
        why = STOPPING if goes_on else HUNG_UP
        cancellation = self.cancellation = CountedCancellation(self.cancel_at, why)
        operation.cancellation = cancellation
        hang_up = None if goes_on else self.hang_up_after
        causes = {outcomes.DEADLINE: call.deadline, HUNG_UP: hang_up}
        timers = [
            threading.Timer(seconds, cancellation.set, (cause,))
            for cause, seconds in causes.items()
            if seconds is not None
        ]
        for timer in timers:
            timer.daemon = True
            timer.start()
        hook = HookCall(operation, self._module)
        hook.run()
        for timer in timers:
            timer.cancel()
        operation.end()
        return hook.answer()

    def ask(self) -> tuple[bool, str]:
        """Run the health hook."""
        return self._health.answer() if self._module.plugin.has_health else (True, "")


class LocalHost:
    """What the operator calls: from the body of a request to the status and body of the answer."""

    def __init__(
        self, found: discovery.Found, folder: Path, journal: type[Journal] = Journal
    ) -> None:
        """Loads the plugin; raises PluginError, or SettingError for a bad variable."""
        self.config_dir = folder / "config"
        self.config_dir.mkdir(parents=True, exist_ok=True)
        self.logs: list[dict[str, Any]] = []
        self._found = found
        self._settings = Settings.from_env(
            {
                **places(folder),
                **os.environ,
                "MODULE_CONFIG_DIR": str(self.config_dir),
                "MODULE_STATE_DIR": str(folder / "state"),
            }
        )
        self.journal = journal(self._settings.state_dir)
        self._front = _Front(self.journal)
        self._calls = 0
        self._cancellation: CountedCancellation | None = None
        self._runner = self._start()

    def _start(self) -> _InProcess:
        plugin = discovery.load(self._found)
        return _InProcess(plugin, self._settings, self._front, self.logs)

    @property
    def looks(self) -> int:
        """How often the last hook has looked whether it was cancelled."""
        return self._cancellation.looks if self._cancellation else 0

    @property
    def grace(self) -> float:
        """Seconds that a cancelled hook has to stop."""
        return self._settings.grace

    @property
    def now_cancelled_at(self) -> float:
        """When the hook that runs was cancelled; infinite if it was not."""
        return self._runner.cancellation.set_at if self._runner.cancellation else math.inf

    @property
    def cancelled_at(self) -> float:
        """When the last hook was cancelled, on the monotonic clock; infinite if it was not."""
        return self._cancellation.set_at if self._cancellation else math.inf

    @property
    def progress(self) -> list[str]:
        """What the hooks have said of how far they are."""
        return self._front.progress

    def delivered(self) -> None:
        """The answer has arrived."""
        self.journal.delivered()

    def health(self) -> tuple[bool, str]:
        """What ``GET /health`` would say."""
        healthy, message = self._runner.ask()
        return healthy, message or "Service is running"

    def call(
        self,
        operation: Name,
        body: bytes,
        *,
        hang_up_after: float | None = None,
        cancel_at: int | None = None,
    ) -> tuple[int, bytes, bool]:
        """Run an operation: status and body of the answer, and whether its client is there."""
        runner = self._runner
        runner.hang_up_after, runner.cancel_at, runner.cancellation = hang_up_after, cancel_at, None
        begun = time.monotonic()
        try:
            status, answer = self._run(runner, operation, body)
        except HostError as error:
            return 400, f"{error}\n".encode(), True
        finally:
            self._cancellation = runner.cancellation
        cancelled = self._cancellation.reason if self._cancellation else ""
        if cancelled and runner is self._runner:
            self._runner = self._start()
        is_late = hang_up_after is not None and time.monotonic() - begun > hang_up_after
        return status, answer, cancelled != HUNG_UP and not is_late

    def _run(self, runner: _InProcess, operation: Name, body: bytes) -> tuple[int, bytes]:
        if len(body) > self._settings.max_body:
            raise RequestError(
                f"the body is larger than the {self._settings.max_body} bytes of MODULE_MAX_BODY"
            )
        self._calls += 1
        name = self._front.request_id = f"test-{self._calls}"
        deadlines = runner._module.plugin.deadlines
        deadline = self._settings.deadline or deadlines.get(operation, DEFAULT_DEADLINE)
        given = self.journal.begin(operation, name, body)
        if given.origin == RESTORED:
            self.logs.append({"level": "warning", "event": f"metadata {given.origin}"})
        done = runner.answer(Call(name, operation, name, given.metadata, deadline))
        cancelled = runner.cancellation.reason if runner.cancellation else ""
        done = outcomes.judge(done, operation, cancelled or None, deadline)
        if done.kind == "refused":
            self.journal.revert()
            if operation == "uninstall" and not (metadata.decode(body) or self.journal.entered):
                self.logs.append(
                    {"level": "warning", "event": "uninstall with nothing to clean up"}
                )
                self.journal.clear()
                return SUCCESS[operation], b""
            return 400, f"{done.reason}\n".encode()
        self.journal.finish(done.metadata, succeeded=done.kind == "succeeded")
        if done.kind != "succeeded":
            self._runner = self._start()  # as the host does: no poisoned state
            return 400, f"{done.reason}\n".encode()
        if operation == "uninstall":
            self.journal.clear()
            return SUCCESS[operation], b""
        return SUCCESS[operation], (done.metadata.text if done.metadata else b"{}") + b"\n"


class LocalOperator(Operator):
    """The stand-in for the operator, with a host in this process."""

    def __init__(self, host: LocalHost) -> None:
        super().__init__()
        self._local = host

    def call(
        self,
        operation: Name,
        *,
        loses_answer: bool = False,
        cannot_store: bool = False,
        hangs_up_after: float | None = None,
        cancel_at: int | None = None,
    ) -> Outcome:
        """Call the module as ``Operator.call`` does.

        ``cancel_at``: the operator ends while the hook looks for the nth time whether it should
        stop, with ``ctx.wait``, ``ctx.raise_if_cancelled``, ``ctx.cancelled`` or ``ctx.run``; for
        uninstall, which goes on then, it is the host that ends.
        """
        status, body, is_there = self._local.call(
            operation,
            self.annotation.encode(),
            hang_up_after=hangs_up_after,
            cancel_at=cancel_at,
        )
        if loses_answer or not is_there:
            return self._failed(None, "", "the operator was restarted")
        outcome = self._take(operation, status, body, cannot_store=cannot_store)
        if status == SUCCESS[operation]:
            self._local.delivered()
        return outcome
