"""The front's side of the runner: one operation at a time, bounded in time, whatever it does.

``Supervisor.call`` is the life of an operation from top to bottom. It runs in the thread of the
view that serves the call.
"""

from __future__ import annotations

import time
from typing import Final, Literal, NamedTuple

from modulehost.front.journal import EDITED, RESTORED, Given, Journal
from modulehost.front.lock import OperationLock
from modulehost.front.runner_process import Child
from modulehost.front.runners import Attendant
from modulehost.front.turns import Turn, Turns
from modulehost.shared import linux, metadata
from modulehost.shared.channel import ChannelClosedError
from modulehost.shared.errors import ConfigError, NotCallableError, OperationError, SettingError
from modulehost.shared.logs import Log
from modulehost.shared.records import Call, Cancel, Checkpoint, Done, Operation, Saved
from modulehost.shared.settings import DEFAULT_DEADLINE, Settings

HEALTH_DEADLINE: Final = 5.0
"""Seconds for the health hook while nothing runs."""

HEALTH_PATIENCE: Final = 0.5
"""Seconds for the health hook while an operation runs, and for the plugin to load."""

RETRY_LOADING: Final = 5.0
"""Seconds after which a question for the host's health has a failed load tried again."""

LONGEST_STOP: Final = 10.0
"""Seconds, each, for an operation to finish and to stop once SIGTERM has come: Kubernetes kills
after 30."""

RUNNING: Final = "Service is running"
DEADLINE: Final = "its deadline passed"
STOPPING: Final = "the host is stopping"


class Request(NamedTuple):
    """A call as it came: ``client`` is the descriptor of its socket."""

    operation: Operation
    request_id: str
    body: metadata.Metadata
    module: str | None
    client: int | None


class Supervisor:
    """Owns the runner, the queue and the journal. Make one a process; ``start`` before use."""

    def __init__(self, settings: Settings, log: Log, problem: str | None = None) -> None:
        self.settings = settings
        self.log = log
        self._problem = problem
        self._journal = Journal(settings.state_dir)
        self._turns = Turns()
        self._attendant = Attendant(log, self._journal, self._turns)

    def start(self) -> None:
        """Start the first runner, without waiting for it."""
        linux.become_subreaper()
        if self._problem is None:
            self._attendant.want()
            self._attendant.start()

    @property
    def can_sleep(self) -> bool:
        """Whether nothing would be lost if this process ended now."""
        return self._turns.is_idle() and self._journal.problem is None

    def reload(self) -> Operation | None:
        """Load the plugin again: at once, or when the operation has ended that is returned."""
        return self._attendant.reload()

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
        """Run an operation whose turn it is; the metadata that its hook left."""
        if self._problem is not None:
            raise SettingError(self._problem)
        with OperationLock(self.settings.state_dir) as lock:
            lock.wait(turn)
            while True:  # a second time when a runner could not begin it
                child, given, deadline = self._hand_over(request, turn)
                assert child.loaded is not None  # noqa: S101 - that is what ready means
                about = {
                    "operation": request.operation,
                    "plugin": child.loaded.plugin,
                    "request_id": request.request_id,
                }
                level = "warning" if given.origin in (RESTORED, EDITED) else "info"
                self.log.event(level, "operation started", **about, metadata=given.origin)
                if self._journal.problem:
                    self.log.event("warning", self._journal.problem, **about)

                end = self._await_end(child, request, turn, deadline)
                if end is None:
                    self._journal.revert()
                    continue
                if end.outcome == "refused":
                    self._journal.revert()
                else:
                    succeeded = end.outcome == "succeeded"
                    self._journal.finish(end.metadata, plain=end.plain, succeeded=succeeded)
                self.log.event(
                    LEVEL_OF[end.outcome],
                    "operation finished",
                    **about,
                    outcome=end.outcome,
                    seconds=round(time.monotonic() - turn.started, 4),
                    **({"reason": end.reason} if end.outcome == "failed" else {}),
                )
                if end.outcome == "failed" or turn.cancelled is not None:
                    child.kill("its operation failed or was cancelled")
                if end.outcome != "succeeded":
                    raise (ConfigError if end.outcome == "refused" else OperationError)(end.reason)
                if request.operation == "uninstall":
                    self._journal.clear()
                return end.metadata or b"{}"

    def _hand_over(self, request: Request, turn: Turn) -> tuple[Child, Given, float]:
        """Give the call to a runner: which, with what metadata, how many seconds it has."""
        while True:
            child = self._attendant.ready(turn, self.settings.deadline or DEFAULT_DEADLINE)
            assert child.loaded is not None  # noqa: S101 - that is what ready means
            deadline = self.settings.deadline or child.loaded.deadlines.get(
                request.operation, DEFAULT_DEADLINE
            )
            given = self._journal.begin(request.operation, turn.id, request.body)
            left = turn.started + deadline - time.monotonic()
            try:
                about = (turn.id, request.operation, request.request_id)
                child.calls.send(Call(*about, given.metadata, max(0.0, left)))
            except ChannelClosedError:  # it has died just now: the next one
                child.part()
                self._journal.revert()
            else:
                child.is_used = True
                return child, given, deadline

    def _await_end(self, child: Child, request: Request, turn: Turn, deadline: float) -> End | None:
        """Wait for the end of an operation; one that takes too long is cancelled, then killed.

        None when its runner has ended without having begun it.
        """
        cancel_at = turn.started + deadline
        kill_at = cancel_at + self.settings.grace
        told = False
        while True:
            now = time.monotonic()
            if now >= kill_at:
                child.kill("its operation did not stop in time")
                child.ended.wait()
                try:
                    done = self._take_calls(child, turn)  # it may have ended just then
                except ChannelClosedError:
                    done = None
                if done is not None:
                    return _judge(request.operation, turn, done, deadline)
                return failed(_cancelled(request.operation, DEADLINE, deadline))
            if now >= cancel_at:
                turn.cancelled = turn.cancelled or DEADLINE
            if turn.client_gone and request.operation != "uninstall":
                turn.cancelled = turn.cancelled or "the client hung up"
            if turn.cancelled is not None and not told:
                told = True
                self._attendant.tell(child, Cancel(turn.id, turn.cancelled))
            until = (kill_at if now >= cancel_at else cancel_at) - now
            ready = turn.wait(until, (child.calls.fileno(), child.pidfd))
            if child.calls.fileno() in ready:
                try:
                    if (done := self._take_calls(child, turn)) is not None:
                        return _judge(request.operation, turn, done, deadline)
                except ChannelClosedError:
                    return self._death(child, request, turn)
            elif child.pidfd in ready:
                return self._death(child, request, turn)

    def _take_calls(self, child: Child, turn: Turn) -> Done | None:
        """Take what has come of the operation; Done when it has ended."""
        for record in child.calls.available():
            if isinstance(record, Done) and record.id == turn.id:
                return record
            if isinstance(record, Checkpoint):
                self._journal.save(record.id, record.number, record.metadata)
                child.calls.send(Saved(record.id, record.number))
        return None

    def _death(self, child: Child, request: Request, turn: Turn) -> End | None:
        """The process has ended, or closed its connection: in words; None as of _await_end."""
        child.part()
        child.ended.wait()
        if child.not_begun and not self._journal.has_copies and turn.cancelled is None:
            return None
        if child.has_closed:
            return failed(
                f"the plugin's process closed its connection to the host during"
                f" {request.operation} and was killed"
            )
        if self._attendant.stopping is not None and turn.cancelled is not None:
            return failed(f"{request.operation} was cancelled: {STOPPING}")
        return failed(f"the plugin's process died during {request.operation}: {child.how}")

    def health(self) -> tuple[bool, str]:
        """Whether the module is well, and a sentence about it. Never waits behind an operation."""
        if self._problem is not None:
            return False, self._problem
        running = self._turns.running
        child = self._attendant.settled(HEALTH_PATIENCE)
        if child is None:
            if running is not None:
                return True, _describe(running)
            if (reason := self._attendant.load_failure) is not None:
                if time.monotonic() - self._attendant.failed_at > RETRY_LOADING:
                    self._attendant.want()
                return False, reason
            return False, "the plugin is being loaded"
        if child.loaded is None or not child.loaded.has_health:
            return True, _describe(running)
        answer = self._attendant.ask(child, idle=HEALTH_DEADLINE, busy=HEALTH_PATIENCE)
        running = self._turns.running
        if answer is not None:
            return answer.healthy, answer.message or _describe(running)
        if running is not None:
            return True, _describe(running)
        if child.died:
            return False, f"the plugin's process died: {child.how}"
        if child.ended.is_set():  # by us: it is replaced, ask the next one
            return self.health()
        self._turns.when_idle(lambda: child.kill("its health hook hangs"))
        return False, f"the health hook did not answer within {HEALTH_DEADLINE:g} s"

    def stop(self) -> None:
        """Have the running operation finish, stop, or end, in bounded time; refuse all others."""
        self._turns.close(STOPPING)
        patience = min(self.settings.grace, LONGEST_STOP)
        if not self._turns.wait_idle(patience):
            if (turn := self._turns.running) is not None:
                turn.cancel(STOPPING)
            self._turns.wait_idle(patience)
        self._attendant.stop(STOPPING)

    def close(self) -> None:
        """End the runner and all that it has started. Call it last."""
        self._attendant.stop(STOPPING)
        if self._attendant.is_alive():
            self._attendant.join(2)
        linux.kill_children()

    def finished(self, turn: Turn, *, delivered: bool) -> None:
        """The answer has gone out, or never will: the next one's turn."""
        if delivered:
            self._journal.delivered()
        self._turns.release(turn)
        if (child := self._attendant.child) is not None:
            linux.reap_orphans(keep=child.pid)


class End(NamedTuple):
    """How an operation ended: ``refused`` is one whose hook was not called."""

    outcome: Literal["succeeded", "failed", "refused"]
    reason: str = ""
    metadata: bytes | None = None
    plain: bool = True


LEVEL_OF: Final = {"succeeded": "info", "failed": "error", "refused": "warning"}


def failed(reason: str) -> End:
    """The end of an operation whose runner said nothing more."""
    return End("failed", reason)


def _judge(operation: Operation, turn: Turn, done: Done, deadline: float) -> End:
    """What the runner's word means. Uninstall may leave what is no JSON: nobody keeps it."""
    failure = done.failure
    if failure is None or (failure.kind == "metadata" and operation == "uninstall"):
        return End("succeeded", "", done.metadata, done.plain)
    if failure.kind == "config":
        return End("refused", failure.reason)
    reason = failure.reason
    if failure.kind == "cancelled" and turn.cancelled is not None:
        reason = _cancelled(operation, turn.cancelled, deadline)
    return End("failed", reason, done.metadata, done.plain)


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
