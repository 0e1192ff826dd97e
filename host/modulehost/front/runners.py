"""Keeps one runner ready: starts it, takes what it tells unasked, buries it, starts the next."""

from __future__ import annotations

import os
import threading
import time
from typing import Final

from modulehost.front.journal import Journal
from modulehost.front.plugin_output import Output
from modulehost.front.runner_process import Child
from modulehost.front.turns import Turn, Turns
from modulehost.shared.channel import ChannelClosedError
from modulehost.shared.errors import ClientGoneError, OperationError, PluginError
from modulehost.shared.logs import Log
from modulehost.shared.records import (
    AnyRecord,
    AskHealth,
    Cancel,
    Health,
    Loaded,
    LoadFailed,
    Operation,
    Progress,
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


class Question:
    """A question for the health that a runner has not answered yet."""

    def __init__(self, child: Child, number: int) -> None:
        self.child = child
        self.number = number
        self.answer: Health | None = None


class Attendant(threading.Thread):
    """The thread that looks after the runners, and what the views ask of it.

    It lives as long as the front: the kernel ends a runner with the thread that started it.
    """

    def __init__(self, log: Log, journal: Journal, turns: Turns) -> None:
        super().__init__(name="attendant", daemon=True)
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
        self.child: Child | None = None
        self.load_failure: str | None = None
        self.failed_at = 0.0

    def want(self) -> None:
        """Ask for a runner: the first one, or another after one that could not load."""
        self._wanted.set()

    def stop(self, why: str) -> None:
        """End the runner, and start no other."""
        self.stopping = why
        self._wanted.set()
        if (child := self.child) is not None:
            child.kill(why)

    def reload(self) -> Operation | None:
        """Load the plugin again: at once, or when the operation has ended that is returned."""
        self._reloads = True
        with self._changed:
            child = self.child
            if child is None or child.loaded is None:  # so nothing runs in it
                self.want()
                if child is not None:
                    child.kill(RELOADED)
                return None
        return self._turns.between(lambda: child.kill(RELOADED))

    def ready(self, turn: Turn, patience: float) -> Child:
        """A runner that has loaded the plugin; raises a HostError with the reason.

        ``patience`` is in seconds from the turn's start.
        """
        failed_at: float | None = None
        has_begun = False
        while True:
            if turn.client_gone and turn.operation != "uninstall":
                raise ClientGoneError(f"the client hung up before {turn.operation} was begun")
            if turn.cancelled is not None:
                raise OperationError(f"{turn.operation} was cancelled: {turn.cancelled}")
            child = self.child
            if child is not None and child.usable:
                return child
            if not has_begun and (child is None or not child.is_killed):
                # what was given up or has failed before this call does not count: try again
                has_begun = True
                failed_at = self.failed_at if self.load_failure else None
                if failed_at is not None:
                    self.want()
            if has_begun and self.load_failure is not None and self.failed_at != failed_at:
                raise PluginError(self.load_failure)
            left = turn.started + patience - time.monotonic()
            if left <= 0:
                reason = (
                    f"the plugin did not load within {patience:g} s; make its import faster or"
                    " raise MODULE_DEADLINE"
                )
                if child is not None:
                    child.failure = child.failure or reason
                    child.kill("it did not load in time")
                raise PluginError(reason)
            turn.wait(left)

    def settled(self, patience: float) -> Child | None:
        """The runner, once it is known whether it could load; None when it cannot be used."""
        with self._changed:
            self._changed.wait_for(self._is_settled, patience)
        child = self.child
        return child if child is not None and child.usable else None

    def _is_settled(self) -> bool:
        return self.load_failure is not None or (self.child is not None and self.child.usable)

    def ask(self, child: Child, idle: float, busy: float) -> Health | None:
        """What the health hook says; None when it does not in time, or its process has ended.

        ``idle`` and ``busy`` are the seconds to wait while nothing and while an operation runs.
        Who asks while another question is open waits for the same answer: a runner that does not
        read must not be sent more than fits into the channel.
        """
        asked = time.monotonic()
        with self._changed:
            question, is_new = self._question, False
            if question is None or question.child is not child:
                self._asked += 1
                question = self._question = Question(child, self._asked)
                is_new = True
        if is_new:
            child.is_used = True
            self.tell(child, AskHealth(question.number))
        with self._changed:
            while question.answer is None and not child.ended.is_set():
                left = asked + (busy if self._turns.running else idle) - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(min(left, HEALTH_LOOK))
        return question.answer

    @staticmethod
    def tell(child: Child, record: Cancel | AskHealth) -> None:
        """Send a record to the runner's second thread."""
        try:
            child.control.send(record)
        except ChannelClosedError:
            pass  # its end is noticed where it is waited for

    def run(self) -> None:
        """One runner after the other, until the host stops."""
        while True:
            self._wanted.wait()
            self._wanted.clear()
            if not self._goes_on():
                return
            self.load_failure = None
            try:
                child = self.child = Child(os.environ, self._log_fd)
            except OSError as error:
                self._fail(f"the plugin's process cannot be started: {error.strerror}")
                continue
            outputs = self._log_output(child)
            if (why := self.stopping) is not None:  # said so while it was started
                child.kill(why)
            self._listen(child)
            child.bury()
            if child.failure is not None:
                self._fail(child.failure)
            elif child.loaded is None and not child.was_ended and self._goes_on():
                self._fail(f"the plugin's process died while the plugin was loaded: {child.how}")
            elif self._died_early_again(child) and self._goes_on():
                self._fail(
                    f"the plugin's process ends soon after the plugin was loaded: {child.how}"
                )
            else:
                self.want()
            self.child = None
            self._notify()
            for output in outputs:
                output.join(1)

    def _died_early_again(self, child: Child) -> bool:
        """Whether the last runners have all ended by themselves, soon and with nothing to do."""
        if child.was_ended or child.is_used or time.monotonic() - child.loaded_at > STEADY:
            self._early_deaths = 0
        else:
            self._early_deaths += 1
        return self._early_deaths >= EARLY_DEATHS

    def _goes_on(self) -> bool:
        return self.stopping is None

    def _log_output(self, child: Child) -> list[Output]:
        outputs = [
            Output(stream, name, self._log, self._redactor)
            for stream, name in ((child.stdout, "stdout"), (child.stderr, "stderr"))
            if stream is not None
        ]
        for output in outputs:
            output.start()
        return outputs

    def _listen(self, child: Child) -> None:
        """Take what a runner tells unasked, until it ends or closes its connection."""
        ears = Turn("install", None)
        try:
            while child.pidfd not in ears.wait(None, (child.control.fileno(), child.pidfd)):
                for record in child.control.available():
                    self._take(child, record)
            for record in child.control.available():
                self._take(child, record)
        except ChannelClosedError:
            child.part()
        finally:
            ears.close()

    def _take(self, child: Child, record: AnyRecord) -> None:
        match record:
            case Loaded():
                with self._changed:
                    child.loaded, child.loaded_at = record, time.monotonic()
                again, self._reloads = self._reloads, False
                self._log.event(
                    "info",
                    "plugin reloaded" if again else "plugin loaded",
                    plugin=record.plugin,
                    package=record.package,
                    version=record.version,
                )
            case LoadFailed(reason):
                child.failure = reason
            case Health():
                with self._changed:
                    question = self._question
                    if question is not None and question.number == record.number:
                        question.answer, self._question = record, None
            case Snapshot(turn_id, number, text):
                self._journal.save(turn_id, number, text, plain=False)
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
