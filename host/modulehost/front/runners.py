"""Keeps one runner ready: starts it, takes what it tells unasked, buries it, starts the next."""

from __future__ import annotations

import os
import threading
import time
from typing import Final

from modulehost.front.journal import Journal
from modulehost.front.plugin_output import Output
from modulehost.front.runner_process import Doomed, Ended, Loading, Ready, RunnerProcess
from modulehost.front.turns import Turn, Turns
from modulehost.front.waiter import Waiter
from modulehost.shared.channel import ChannelClosedError
from modulehost.shared.errors import NotCallableError, one_line
from modulehost.shared.logs import Log
from modulehost.shared.records import (
    AnyRecord,
    AskHealth,
    Cancel,
    Health,
    KnowSecrets,
    Loaded,
    LoadFailed,
    OperationName,
    Progress,
    SecretsKnown,
    Snapshot,
)
from modulehost.shared.redaction import Redactor

RELOADED: Final = "the plugin is loaded again"

STEADY: Final = 10.0
"""Seconds for which a runner should live, once it has loaded the plugin."""

EARLY_DEATHS: Final = 3
"""Runners that nobody used and that did not live so long, until nobody starts another unasked."""

HEALTH_LOOK: Final = 0.1
"""Seconds after which a question for the health looks whether an operation has begun."""

PAUSE: Final = 1.0
"""Seconds after a failure of our own in which nothing is tried: it may be the same again."""

EXIT_STATUS: Final = 1
"""Of a front that cannot look after runners any more; gunicorn starts another front."""


class Question:
    """A question for the health that a runner has not answered yet."""

    def __init__(self, runner: RunnerProcess, number: int) -> None:
        self.runner = runner
        self.number = number
        self.answer: Health | None = None


class Runners(threading.Thread):
    """The thread that looks after the runners, and what the views ask of it.

    It lives as long as the front: the kernel ends a runner with the thread that started it.
    """

    def __init__(self, log: Log, journal: Journal, turns: Turns) -> None:
        super().__init__(name="runners", daemon=True)
        self._log = log
        self._redactor = Redactor()  # of what any runner has told; those to come know it, too
        self._log_fd = os.dup(1)  # a runner's own standard output is a pipe to us
        self._journal = journal
        self._turns = turns
        self._changed = threading.Condition()
        self._wanted = threading.Event()
        self._question: Question | None = None
        self._asked = 0
        self._reloads = False
        self._early_deaths = 0
        self.stopping: str | None = None
        self.current: RunnerProcess | None = None
        self.load_failure: str | None = None
        self.failed_at = 0.0

    def want(self) -> None:
        """Ask for a runner: the first one, or another after one that could not load."""
        self._wanted.set()

    def stop(self, why: str) -> None:
        """End the runner, and start no other."""
        self.stopping = why
        self._wanted.set()
        if (runner := self.current) is not None:
            runner.kill(why)

    def reload(self) -> OperationName | None:
        """Load the plugin again: at once, or when the operation has ended that is returned."""
        self._reloads = True
        with self._changed:
            runner = self.current
            if runner is None or isinstance(runner.state, Loading):  # so nothing runs in it
                self.want()
                if runner is not None:
                    runner.kill(RELOADED)
                return None
        return self._turns.between(lambda: runner.kill(RELOADED))

    def ready(self, turn: Turn, patience: float) -> tuple[RunnerProcess, Loaded]:
        """A runner that has loaded the plugin; raises a HostError with the reason.

        ``patience`` is in seconds from the turn's start.
        """
        failed_at: float | None = None
        has_begun = False
        while True:
            turn.check()
            runner = self.current
            if runner is not None and (state := runner.ready) is not None:
                return runner, state.loaded
            if not has_begun and (runner is None or not isinstance(runner.state, Doomed)):
                # what was given up or has failed before this call does not count: try again
                has_begun = True
                failed_at = self.failed_at if self.load_failure else None
                if failed_at is not None:
                    self.want()
            if has_begun and self.load_failure is not None and self.failed_at != failed_at:
                raise NotCallableError(self.load_failure)
            left = turn.started + patience - time.monotonic()
            if left <= 0:
                reason = (
                    f"the plugin did not load within {patience:g} s; make its import faster or"
                    " raise MODULE_DEADLINE"
                )
                if runner is not None:
                    runner.kill("it did not load in time", failure=reason)
                raise NotCallableError(reason)
            turn.wait(left)

    def settled(self, patience: float) -> RunnerProcess | None:
        """The runner, once it is known whether it could load; None when it cannot be used."""
        with self._changed:
            self._changed.wait_for(lambda: self.load_failure or self._usable(), patience)
        return self._usable()

    def _usable(self) -> RunnerProcess | None:
        runner = self.current
        return runner if runner is not None and runner.ready is not None else None

    def ask(self, runner: RunnerProcess, idle: float, busy: float) -> Health | None:
        """What the health hook says; None when it does not in time, or its process has ended.

        ``idle`` and ``busy`` are the seconds to wait while nothing and while an operation runs.
        Who asks while another question is open waits for the same answer: a runner that does not
        read must not be sent more than fits into the channel.
        """
        asked = time.monotonic()
        with self._changed:
            question, is_new = self._question, False
            if question is None or question.runner is not runner:
                self._asked += 1
                question = self._question = Question(runner, self._asked)
                is_new = True
        if is_new:
            runner.is_used = True
            self.tell(runner, AskHealth(question.number))
        with self._changed:
            while question.answer is None and not runner.ended.is_set():
                left = asked + (busy if self._turns.running else idle) - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(min(left, HEALTH_LOOK))
        return question.answer

    @staticmethod
    def tell(
        runner: RunnerProcess, record: Cancel | AskHealth | KnowSecrets | SecretsKnown
    ) -> None:
        """Send a record to the runner's second thread."""
        try:
            runner.control.send(record)
        except ChannelClosedError:
            pass  # its end is noticed where it is waited for

    def run(self) -> None:
        """One runner after the other, until the host stops.

        Without this thread no call would ever find a runner: should it end, so does the front.
        """
        try:
            while self.stopping is None:
                self._wanted.wait()
                self._wanted.clear()
                if self.stopping is None:
                    self._have_one_guarded()
        except BaseException:  # noqa: BLE001 - of the guard itself
            os._exit(EXIT_STATUS)

    def _have_one_guarded(self) -> None:
        try:
            self._have_one()
        except BaseException as error:  # noqa: BLE001 - no thread, no memory, no permission
            runner, self.current = self.current, None
            self._fail(f"the plugin's process cannot be looked after: {one_line(repr(error))}")
            if runner is not None:
                runner.kill("it cannot be looked after")
                runner.bury()
            self._notify()
            time.sleep(PAUSE)

    def _have_one(self) -> None:
        """The life of one runner."""
        self.load_failure = None
        try:
            runner = self.current = RunnerProcess(os.environ, self._log_fd)
        except OSError as error:
            self._fail(f"the plugin's process cannot be started: {error.strerror}")
            return
        if secrets := self._redactor.secrets:
            self.tell(runner, KnowSecrets(0, secrets))
        outputs = self._log_output(runner)
        if (why := self.stopping) is not None:  # said so while it was started
            runner.kill(why)
        self._listen(runner)
        if not runner.bury():
            self._log.event("error", "the plugin's process is left: it cannot be killed")
        self.current = None
        if (failure := self._failure_of(runner)) is not None and self.stopping is None:
            self._fail(failure)
        else:
            self.want()
        self._notify()
        for output in outputs:
            output.join(1)

    def _failure_of(self, runner: RunnerProcess) -> str | None:
        """Why it could not be used; None where another shall be started."""
        match runner.state:
            case Ended(Doomed(failure=failure)):
                self._early_deaths = 0
                return failure
            case Ended(Loading(), how=how):
                return f"the plugin's process died while the plugin was loaded: {how}"
            case Ended(Ready(since=since), how=how):
                is_early = not runner.is_used and time.monotonic() - since <= STEADY
                self._early_deaths = self._early_deaths + 1 if is_early else 0
                if self._early_deaths >= EARLY_DEATHS:
                    return f"the plugin's process ends soon after the plugin was loaded: {how}"
        return None

    def _log_output(self, runner: RunnerProcess) -> list[Output]:
        outputs = [
            Output(stream, name, self._log, self._redactor, runner.refused)
            for stream, name in ((runner.stdout, "stdout"), (runner.stderr, "stderr"))
            if stream is not None
        ]
        for output in outputs:
            output.start()
        return outputs

    def _listen(self, runner: RunnerProcess) -> None:
        """Take what a runner tells unasked, until it ends or closes its connection."""
        ears = Waiter()
        try:
            while runner.pidfd not in ears.poll(None, (runner.control.fileno(), runner.pidfd)):
                for record in runner.control.available():
                    self._take(runner, record)
            for record in runner.control.available(to_the_last=True):
                self._take(runner, record)
        except ChannelClosedError:
            runner.part()
        finally:
            ears.close()

    def _take(self, runner: RunnerProcess, record: AnyRecord) -> None:
        match record:
            case Loaded():
                with self._changed:
                    runner.has_loaded(record)
                again, self._reloads = self._reloads, False
                self._log.event(
                    "info",
                    "plugin reloaded" if again else "plugin loaded",
                    plugin=record.plugin,
                    package=record.package,
                    version=record.version,
                )
            case KnowSecrets(number, secrets):
                self._redactor.add(secrets)
                self._log.redact = self._redactor.text
                self.tell(runner, SecretsKnown(number))
            case LoadFailed(reason):
                runner.kill("its plugin cannot be loaded", failure=reason)
            case Health():
                with self._changed:
                    question = self._question
                    if question is not None and question.number == record.number:
                        question.answer, self._question = record, None
            case Snapshot(turn_id, number, text):
                self._journal.save(turn_id, number, text)
            case Progress(turn_id, text):
                turn = self._turns.running
                if turn is not None and turn.id == turn_id:
                    turn.progress = text
        self._notify()

    def _fail(self, reason: str) -> None:
        self.failed_at = time.monotonic()
        self.load_failure = reason
        self._log.event("error", "the plugin cannot be used", reason=reason)
        self._notify()

    def _notify(self) -> None:
        """Wake whoever waits for a runner or for its answer."""
        with self._changed:
            self._changed.notify_all()
        if (turn := self._turns.running) is not None:
            turn.nudge()
