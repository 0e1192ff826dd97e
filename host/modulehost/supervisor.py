"""The front's side of the runner: one operation at a time, bounded in time, whatever it does.

``Supervisor.call`` is the life of an operation from top to bottom. It runs in the thread of the
view that serves the call; a second thread, the attendant, starts runners, takes what they tell
unasked, and buries them.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Final, NamedTuple, Self

from modulehost import linux, metadata
from modulehost.child import Child
from modulehost.errors import (
    ClientGoneError,
    ConfigError,
    NotCallableError,
    OperationError,
    PluginError,
    SettingError,
)
from modulehost.journal import EDITED, RESTORED, Given, Journal
from modulehost.logs import Log
from modulehost.output import Output
from modulehost.protocol import (
    AskHealth,
    Call,
    Cancel,
    ChannelClosedError,
    Checkpoint,
    Done,
    Health,
    Loaded,
    LoadFailed,
    Operation,
    Progress,
    Saved,
    Snapshot,
)
from modulehost.settings import DEFAULT_DEADLINE, Settings
from modulehost.turns import Turn, Turns

HEALTH_DEADLINE: Final = 5.0
"""Seconds for the health hook while nothing runs."""

HEALTH_PATIENCE: Final = 0.5
"""Seconds for the health hook while an operation runs, and for the plugin to load."""

HEALTH_LOOK: Final = 0.1
"""Seconds after which a question for the health looks whether an operation has begun."""

RETRY_LOADING: Final = 5.0
"""Seconds after which a question for the host's health has a failed load tried again."""

LONGEST_STOP: Final = 10.0
"""Seconds, each, for an operation to finish and to stop once SIGTERM has come: Kubernetes kills
after 30."""

RUNNING: Final = "Service is running"
_STOPPING: Final = "the host is stopping"
_LOCK_POLL: Final = 0.05


class Request(NamedTuple):
    """A call as it came: ``client`` is the descriptor of its socket."""

    operation: Operation
    request_id: str
    body: metadata.Metadata
    module: str | None
    client: int | None


class Question:
    """A question for the health that a runner has not answered yet."""

    def __init__(self, child: Child, number: int) -> None:
        self.child = child
        self.number = number
        self.answer: Health | None = None


class Supervisor:
    """Owns the runner, the queue and the journal. Make one a process; ``start`` before use."""

    def __init__(self, settings: Settings, log: Log, problem: str | None = None) -> None:
        self.settings = settings
        self.log = log
        self._log_fd = os.dup(1)  # a runner's own standard output is a pipe to us
        self._problem = problem
        self._journal = Journal(settings.state_dir)
        self._turns = Turns()
        self._changed = threading.Condition()
        self._child: Child | None = None
        self._load_failure: str | None = None
        self._failed_at = 0.0
        self._wanted = threading.Event()
        self._stopping = False
        self._attendant = threading.Thread(target=self._attend, name="attendant", daemon=True)
        self._question: Question | None = None
        self._asked = 0

    def start(self) -> None:
        """Start the first runner, without waiting for it."""
        linux.become_subreaper()
        if self._problem is None:
            self._wanted.set()
            self._attendant.start()

    @property
    def can_sleep(self) -> bool:
        """Whether nothing would be lost if this process ended now."""
        return self._turns.is_idle() and self._journal.problem is None

    def call(self, request: Request) -> Answer:
        """Run an operation; the answer holds the turn until it is closed.

        Raises HostError with the reason when it failed.
        """
        self._journal.admit(request.module)
        turn = self._turns.take(request.operation, request.client)
        answer = Answer(self, turn)
        try:
            answer.metadata = self._run(request, turn)
        except NotCallableError as error:
            if request.operation != "uninstall" or request.body or self._journal.entered:
                self._journal.unpin()
                answer.close()
                raise
            self.log.event(
                "warning",
                "uninstall with nothing to clean up",
                request_id=request.request_id,
                reason=str(error),
            )
            self._journal.clear()
        except BaseException:
            answer.close()
            raise
        return answer

    def _run(self, request: Request, turn: Turn) -> bytes:
        if self._problem is not None:
            raise SettingError(self._problem)
        with OperationLock(self.settings.state_dir) as lock:
            lock.wait(turn)
            child, given, deadline = self._hand_over(request, turn)
            assert child.loaded is not None  # noqa: S101 - that is what ready means
            about = {
                "operation": request.operation,
                "plugin": child.loaded.plugin,
                "request_id": request.request_id,
            }
            done: Done | OperationError
            level = "warning" if given.origin in (RESTORED, EDITED) else "info"
            self.log.event(level, "operation started", **about, metadata=given.origin)
            if self._journal.problem:
                self.log.event("warning", self._journal.problem, **about)
            done = self._attend_call(child, request, turn, deadline)
            took = round(time.monotonic() - turn.started, 4)
            if isinstance(done, OperationError):
                self._journal.finish(None, succeeded=False)
                outcome: str | None = str(done)
            elif done.failure and done.failure.kind == "config":
                self._journal.revert()
                refused = {"outcome": "refused", "seconds": took}
                self.log.event("warning", "operation finished", **about, **refused)
                raise ConfigError(done.failure.reason)
            else:
                outcome = self._outcome(request.operation, turn, done, deadline)
                self._journal.finish(done.metadata, plain=done.plain, succeeded=outcome is None)
            if outcome is None:
                end: dict[str, object] = {"outcome": "succeeded", "seconds": took}
            else:
                end = {"outcome": "failed", "seconds": took, "reason": outcome}
            level = "info" if outcome is None else "error"
            self.log.event(level, "operation finished", **about, **end)
            if outcome is not None or turn.cancelled is not None:
                child.kill("its operation failed or was cancelled")
            if outcome is not None:
                raise OperationError(outcome)
            if request.operation == "uninstall":
                self._journal.clear()
            assert isinstance(done, Done)  # noqa: S101 - the other case has raised
            return done.metadata or b"{}"

    def _hand_over(self, request: Request, turn: Turn) -> tuple[Child, Given, float]:
        """Give the call to a runner: which, with what metadata, how long it has."""
        while True:
            child = self._ready_child(turn)
            assert child.loaded is not None  # noqa: S101 - that is what ready means
            deadline = self._deadline(request.operation, child.loaded)
            given = self._journal.begin(request.operation, request.request_id, request.body)
            left = turn.started + deadline - time.monotonic()
            try:
                child.calls.send(
                    Call(request.operation, request.request_id, given.metadata, max(0.0, left))
                )
            except ChannelClosedError:  # it has died just now: the next one
                child.kill("it did not take the call")
                self._journal.revert()
            else:
                return child, given, deadline

    def _outcome(self, operation: str, turn: Turn, done: Done, deadline: float) -> str | None:
        """The reason of a failure, None for success. Uninstall may leave what is no JSON."""
        failure = done.failure
        if failure is None or (failure.kind == "metadata" and operation == "uninstall"):
            return None
        if failure.kind == "cancelled" and turn.cancelled is not None:
            return _cancelled(operation, turn.cancelled, deadline)
        return failure.reason

    def _deadline(self, operation: str, loaded: Loaded) -> float:
        return self.settings.deadline or loaded.deadlines.get(operation, DEFAULT_DEADLINE)

    def _ready_child(self, turn: Turn) -> Child:
        """A runner that has loaded the plugin; loading counts towards the deadline."""
        ends = turn.started + (self.settings.deadline or DEFAULT_DEADLINE)
        failed_at: float | None = None
        has_begun = False
        while True:
            if turn.client_gone and turn.operation != "uninstall":
                raise ClientGoneError(f"the client hung up before {turn.operation} was begun")
            if turn.cancelled is not None:
                raise OperationError(f"{turn.operation} was cancelled: {turn.cancelled}")
            child = self._child
            if child is not None and child.usable:
                return child
            if not has_begun and (child is None or not child.is_killed):
                # what was given up or has failed before this call does not count: try again
                has_begun = True
                failed_at = self._failed_at if self._load_failure else None
                if failed_at is not None:
                    self._wanted.set()
            if has_begun and self._load_failure is not None and self._failed_at != failed_at:
                raise PluginError(self._load_failure)
            left = ends - time.monotonic()
            if left <= 0:
                reason = (
                    f"the plugin did not load within {ends - turn.started:g} s; make its import"
                    " faster or raise MODULE_DEADLINE"
                )
                if child is not None:
                    child.failure = child.failure or reason
                    child.kill("it did not load in time")
                raise PluginError(reason)
            turn.wait(left)

    def _attend_call(
        self, child: Child, request: Request, turn: Turn, deadline: float
    ) -> Done | OperationError:
        """Wait for the end of an operation: Done, or the error when its process had to die."""
        cancel_at = turn.started + deadline
        kill_at = cancel_at + self.settings.grace
        told = False
        while True:
            now = time.monotonic()
            if now >= kill_at:
                child.kill("its operation did not stop in time")
                child.ended.wait()
                try:
                    done = self._take_calls(child, request)  # it may have ended just then
                except ChannelClosedError:
                    done = None
                return done or OperationError(_cancelled(request.operation, DEADLINE, deadline))
            if now >= cancel_at:
                turn.cancelled = turn.cancelled or DEADLINE
            if turn.client_gone and request.operation != "uninstall":
                turn.cancelled = turn.cancelled or "the client hung up"
            if turn.cancelled is not None and not told:
                told = True
                self._tell(child, Cancel(request.request_id, turn.cancelled))
            until = (kill_at if now >= cancel_at else cancel_at) - now
            ready = turn.wait(until, (child.calls.fileno(), child.pidfd))
            if child.calls.fileno() in ready:
                try:
                    if (done := self._take_calls(child, request)) is not None:
                        return done
                except ChannelClosedError:
                    return self._death(child, request, turn)
            elif child.pidfd in ready:
                return self._death(child, request, turn)

    def _take_calls(self, child: Child, request: Request) -> Done | None:
        """Take what has come of the operation; Done when it has ended."""
        for record in child.calls.available():
            if isinstance(record, Done):
                return record
            if isinstance(record, Checkpoint):
                self._journal.save(request.request_id, record.metadata)
                child.calls.send(Saved())
        return None

    def _death(self, child: Child, request: Request, turn: Turn) -> OperationError:
        child.part()
        child.ended.wait()
        if child.has_closed:
            return OperationError(
                f"the plugin's process closed its connection to the host during"
                f" {request.operation} and was killed"
            )
        if self._stopping and turn.cancelled is not None:
            return OperationError(f"{request.operation} was cancelled: {_STOPPING}")
        return OperationError(f"the plugin's process died during {request.operation}: {child.how}")

    def _tell(self, child: Child, record: Cancel | AskHealth) -> None:
        try:
            child.control.send(record)
        except ChannelClosedError:
            pass  # its end is noticed where it is waited for

    def health(self) -> tuple[bool, str]:
        """Whether the module is well, and a sentence about it. Never waits behind an operation."""
        if self._problem is not None:
            return False, self._problem
        running = self._turns.running
        with self._changed:
            self._changed.wait_for(self._is_settled, HEALTH_PATIENCE)
        child = self._child
        if child is None or not child.usable:
            if running is not None:
                return True, _describe(running)
            if self._load_failure is not None:
                if time.monotonic() - self._failed_at > RETRY_LOADING:
                    self._wanted.set()
                return False, self._load_failure
            return False, "the plugin is being loaded"
        if child.loaded is None or not child.loaded.has_health:
            return True, _describe(running)
        answer = self._ask(child)
        running = self._turns.running
        if answer is not None:
            return answer.healthy, answer.message or _describe(running)
        if running is not None:
            return True, _describe(running)
        if child.ended.is_set():
            # ended by us, it is replaced: ask the next one
            return (
                (False, f"the plugin's process died: {child.how}") if child.died else self.health()
            )
        self._turns.when_idle(lambda: child.kill("its health hook hangs"))
        return False, f"the health hook did not answer within {HEALTH_DEADLINE:g} s"

    def _ask(self, child: Child) -> Health | None:
        """What the health hook says; None when it does not in time, or its process has ended.

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
            self._tell(child, AskHealth(question.number))
        with self._changed:
            while question.answer is None and not child.ended.is_set():
                patience = HEALTH_PATIENCE if self._turns.running else HEALTH_DEADLINE
                left = asked + patience - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(min(left, HEALTH_LOOK))
        return question.answer

    def _is_settled(self) -> bool:
        return self._load_failure is not None or (self._child is not None and self._child.usable)

    def stop(self) -> None:
        """Have the running operation finish, stop, or end, in bounded time; refuse all others."""
        self._turns.close(_STOPPING)
        patience = min(self.settings.grace, LONGEST_STOP)
        self._wait_idle(patience)
        if (turn := self._turns.running) is not None:
            turn.cancel(_STOPPING)
            self._wait_idle(patience)
        self._stopping = True
        if (child := self._child) is not None:
            child.kill(_STOPPING)

    def _wait_idle(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(self._turns.is_idle, seconds)

    def close(self) -> None:
        """End the runner and all that it has started. Call it last."""
        self._stopping = True
        self._wanted.set()
        if self._attendant.is_alive():
            if (child := self._child) is not None:
                child.kill(_STOPPING)
            self._attendant.join(2)
        linux.kill_children()

    def finished(self, turn: Turn, *, delivered: bool) -> None:
        """The answer has gone out, or never will: the next one's turn."""
        if delivered:
            self._journal.delivered()
        self._turns.release(turn)
        self._tell_changed()
        if (child := self._child) is not None:
            linux.reap_orphans(keep=child.pid)

    def _tell_changed(self) -> None:
        with self._changed:
            self._changed.notify_all()
        if (turn := self._turns.running) is not None:
            turn.nudge()

    def _is_stopping(self) -> bool:
        return self._stopping

    def _attend(self) -> None:
        """The attendant: one runner after the other, until the host stops."""
        while True:
            self._wanted.wait()
            self._wanted.clear()
            if self._stopping:
                return
            self._load_failure = None
            try:
                child = self._child = Child(os.environ, self._log_fd)
            except OSError as error:
                self._fail_loading(f"the plugin's process cannot be started: {error.strerror}")
                continue
            if self._is_stopping():  # said so while it was started
                child.kill(_STOPPING)
            outputs = [
                Output(stream, name, self.log)
                for stream, name in ((child.stdout, "stdout"), (child.stderr, "stderr"))
                if stream is not None
            ]
            for output in outputs:
                output.start()
            self._listen(child)
            child.bury()
            if child.failure is not None:
                self._fail_loading(child.failure)
            elif child.loaded is None and not self._stopping:
                self._fail_loading(
                    f"the plugin's process died while the plugin was loaded: {child.how}"
                )
            else:
                self._wanted.set()
            self._child = None
            self._tell_changed()
            for output in outputs:
                output.join(1)

    def _fail_loading(self, reason: str) -> None:
        self._failed_at = time.monotonic()
        self._load_failure = reason
        self.log.event("error", "the plugin cannot be used", reason=reason)
        self._tell_changed()

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

    def _take(self, child: Child, record: object) -> None:
        match record:
            case Loaded():
                child.loaded = record
                self.log.event(
                    "info",
                    "plugin loaded",
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
            case Snapshot(request_id, text):
                self._journal.save(request_id, text, plain=False)
            case Progress(text=text) if (turn := self._turns.running) is not None:
                turn.progress = text
        self._tell_changed()


DEADLINE: Final = "its deadline passed"


def _cancelled(operation: str, why: str, deadline: float) -> str:
    if why == DEADLINE:
        return f"{operation} did not finish within {deadline:g} s"
    return f"{operation} was cancelled: {why}"


def _describe(turn: Turn | None) -> str:
    if turn is None:
        return RUNNING
    text = f"{turn.operation} running for {time.monotonic() - turn.started:.1f} s"
    return f"{text}: {turn.progress}" if turn.progress else text


class Answer:
    """What an operation answers. The turn is held until it is closed."""

    def __init__(self, supervisor: Supervisor, turn: Turn) -> None:
        self._supervisor = supervisor
        self._turn: Turn | None = turn
        self._delivered = False
        self.metadata = b"{}"

    def delivered(self) -> None:
        """The whole answer has gone into the socket."""
        self._delivered = True

    def close(self) -> None:
        """Settle whether it was delivered, and give the turn to the next."""
        turn, self._turn = self._turn, None
        if turn is not None:
            self._supervisor.finished(turn, delivered=self._delivered and not turn.client_gone)


class OperationLock:
    """A file lock that an operation holds, so that two fronts that overlap cannot run two."""

    def __init__(self, folder: str) -> None:
        self._path = os.path.join(folder, "lock")  # noqa: PTH118 - one call an operation
        self._file = -1

    def __enter__(self) -> Self:
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._file = os.open(self._path, flags, 0o600)
        except OSError:
            pass  # no state directory, no other front that could share it
        return self

    def wait(self, turn: Turn) -> None:
        """Wait until the other front's operation has ended."""
        import fcntl

        while self._file >= 0:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                turn.wait(_LOCK_POLL)
            else:
                turn.started = time.monotonic()
                return

    def __exit__(self, *_: object) -> None:
        if self._file >= 0:
            os.close(self._file)
