"""The life of an operation: one at a time, bounded in time, whatever the plugin does.

``Operations.call`` is that life from top to bottom. It runs in the thread of the view that serves
the call.
"""

from __future__ import annotations

import time
from typing import Final, NamedTuple

from modulehost.front.answer import Answer
from modulehost.front.front_lock import POLL, FrontLock
from modulehost.front.health import Health
from modulehost.front.journal import EDITED, RESTORED, Given, Journal
from modulehost.front.outcomes import DEADLINE, LEVEL_OF, judge
from modulehost.front.runner_process import BURIAL, Ended, RunnerProcess
from modulehost.front.runners import Runners
from modulehost.front.swap import refuse_swap
from modulehost.front.turns import Turn, Turns
from modulehost.shared import linux, metadata
from modulehost.shared.channel import ChannelClosedError
from modulehost.shared.errors import HostError, NotCallableError, OperationError
from modulehost.shared.kubeconfig import kubeconfig
from modulehost.shared.logs import Log
from modulehost.shared.records import (
    Call,
    Cancel,
    Checkpoint,
    Done,
    Loaded,
    OperationName,
    Saved,
)
from modulehost.shared.settings import DEFAULT_DEADLINE, Settings

LONGEST_STOP: Final = 10.0
"""Seconds, each, for an operation to finish and to stop once SIGTERM has come: Kubernetes kills
after 30."""

MOST_TRIES: Final = 3
"""Runners, one after the other, that an operation is given to until one can begin it."""

STOPPING: Final = "the host is stopping"


class Request(NamedTuple):
    """A call as it came: ``client`` is the descriptor of its socket."""

    operation: OperationName
    request_id: str
    body: bytes
    module: str | None
    client: int | None


class Operations:
    """Owns the runners, the queue and the journal. Make one a process; ``start`` before use."""

    def __init__(self, settings: Settings, log: Log, problem: str | None = None) -> None:
        self.settings = settings
        self.log = log
        self._problem = problem
        self._journal = Journal(settings.state_dir)
        self._lock = FrontLock(settings.state_dir)
        self._turns = Turns()
        self._runners = Runners(log, self._journal, self._turns)
        self.health = Health(self._runners, self._turns, problem)

    def start(self) -> None:
        """Start the first runner, without waiting for it."""
        linux.become_subreaper()
        if self._problem is None:
            self._runners.want()
            self._runners.start()

    @property
    def can_sleep(self) -> bool:
        """Whether nothing would be lost if this process ended now."""
        return self._turns.is_idle() and self._journal.problem is None

    def reload(self) -> OperationName | None:
        """Load the plugin again: at once, or when the operation has ended that is returned."""
        return self._runners.reload()

    def call(self, request: Request) -> Answer:
        """Run an operation; the answer holds the turn until it is closed.

        Raises HostError with the reason when it failed.
        """
        if self._lock.is_held and self._journal.has_module:
            self._journal.admit(request.module)
        turn = self._turns.take(
            request.operation, request.client, lambda: metadata.decode(request.body)
        )
        answer = Answer(turn, self._finished)
        try:
            self._hold_lock(turn)
            self._admit(request, turn)
            answer.metadata = self._run(request, turn)
        except NotCallableError as error:
            try:
                self._forgive(request, error)
            except BaseException:
                answer.close()
                raise
        except BaseException:
            answer.close()
            raise
        return answer

    def _admit(self, request: Request, turn: Turn) -> None:
        """Refuse a call for another module; the first one accepted says which this host is for."""
        if request.module is not None and not self._journal.has_module:
            refuse_swap(request.module, self.settings.config_dir, self.log)
            turn.started = time.monotonic()
        self._journal.admit(request.module)

    def _forgive(self, request: Request, error: NotCallableError) -> None:
        """Let an uninstall succeed that has nothing to clean up; else raise the error."""
        if (
            request.operation != "uninstall"
            or self._journal.entered
            or metadata.decode(request.body)
        ):
            self._journal.unpin()
            raise error
        self.log.event(
            "warning",
            "uninstall with nothing to clean up",
            request_id=request.request_id,
            reason=str(error),
        )
        self._journal.clear()

    def _hold_lock(self, turn: Turn) -> None:
        """Have the last operation of a front before us end, whose outcome is then read."""
        while not self._lock.is_held:
            if self._lock.take():
                self._journal.load()
                turn.started = time.monotonic()
                return
            turn.check()
            if time.monotonic() > turn.started + (self.settings.deadline or DEFAULT_DEADLINE):
                raise HostError("the host was reloaded, and its last operation has not ended yet")
            turn.wait(POLL)

    def _run(self, request: Request, turn: Turn) -> bytes:
        """Run an operation whose turn it is; the metadata that its hook left."""
        if self._problem is not None:
            raise NotCallableError(self._problem)
        tries = 0
        while (done := self._try(request, turn)) is None:
            self._journal.revert()
            tries += 1
            if tries == MOST_TRIES:
                raise NotCallableError(
                    f"the plugin's process ended {tries} times before {request.operation} could"
                    " begin: a thread of the plugin throws exceptions into it"
                )
        if done.kind == "refused":
            raise NotCallableError(done.reason)
        if done.kind != "succeeded":
            raise OperationError(done.reason)
        if request.operation == "uninstall":
            self._journal.clear()
        return b"{}" if done.metadata is None else done.metadata.text

    def _try(self, request: Request, turn: Turn) -> Done | None:
        """Run it in the runner that is there, with a record of it; None if that cannot begin it."""
        runner, loaded, given, deadline = self._hand_over(request, turn)
        about = {
            "operation": request.operation,
            "plugin": loaded.plugin,
            "request_id": request.request_id,
        }
        level = "warning" if given.origin in (RESTORED, EDITED) else "info"
        self.log.event(level, "operation started", **about, metadata=given.origin)
        if self._journal.problem:
            self.log.event("warning", self._journal.problem, **about)
        done = self._await_end(runner, turn, deadline)
        if done is None:
            return None
        if done.kind == "refused":
            self._journal.revert()
        else:
            self._journal.finish(done.metadata, succeeded=done.kind == "succeeded")
        self.log.event(
            LEVEL_OF[done.kind],
            "operation finished",
            **about,
            outcome=done.kind,
            seconds=round(time.monotonic() - turn.started, 4),
            **({"reason": done.reason} if done.reason else {}),
        )
        if done.kind in ("failed", "cancelled") and kubeconfig(self.settings.config_dir):
            runner.refused.operation_failed(self.log, about)
        is_good = done.kind in ("succeeded", "refused") and not done.is_spent
        if not is_good or turn.cancelled is not None:
            runner.kill("its operation failed or was cancelled")
        return done

    def _hand_over(
        self, request: Request, turn: Turn
    ) -> tuple[RunnerProcess, Loaded, Given, float]:
        """Give the call to a runner: which, with what metadata, how many seconds it has."""
        while True:
            runner, loaded = self._runners.ready(turn, self.settings.deadline or DEFAULT_DEADLINE)
            deadline = self.settings.deadline or loaded.deadlines.get(
                request.operation, DEFAULT_DEADLINE
            )
            given = self._journal.begin(request.operation, turn.id, request.body)
            left = max(0.0, turn.started + deadline - time.monotonic())
            about = (turn.id, request.operation, request.request_id)
            try:
                runner.calls.send(Call(*about, given.metadata, left))
            except ChannelClosedError:  # it has died just now: the next one
                runner.part()
                self._journal.revert()
            else:
                runner.is_used = True
                return runner, loaded, given, deadline

    def _await_end(self, runner: RunnerProcess, turn: Turn, deadline: float) -> Done | None:
        """Wait for the end of an operation; one that takes too long is cancelled, then killed.

        None when its runner has ended without having begun it.
        """
        cancel_at = turn.started + deadline
        kill_at = cancel_at + self.settings.grace
        told = False
        while True:
            now = time.monotonic()
            if now >= kill_at:
                return self._give_up(runner, turn, deadline)
            if now >= cancel_at:
                turn.cancelled = turn.cancelled or DEADLINE
            if turn.client_gone and turn.operation != "uninstall":
                turn.cancelled = turn.cancelled or "the client hung up"
            if turn.cancelled is not None and not told:
                told = True
                self._runners.tell(runner, Cancel(turn.id, turn.cancelled))
            until = (kill_at if now >= cancel_at else cancel_at) - now
            try:
                if turn.wait(until, runner.calls.fileno()):
                    if (done := self._take_calls(runner, turn)) is not None:
                        return judge(done, turn.operation, turn.cancelled, deadline)
                elif runner.ended.is_set():
                    return self._death(runner, turn)
            except ChannelClosedError:
                return self._death(runner, turn)

    def _give_up(self, runner: RunnerProcess, turn: Turn, deadline: float) -> Done:
        """Kill an operation that does not stop; it may have ended just then."""
        runner.kill("its operation did not stop in time")
        runner.ended.wait(2 * BURIAL)
        try:
            done = self._take_calls(runner, turn, to_the_last=True)
        except ChannelClosedError:
            done = None
        if done is None:
            return judge(Done(turn.id, "cancelled"), turn.operation, DEADLINE, deadline)
        return judge(done, turn.operation, turn.cancelled, deadline)

    def _take_calls(
        self, runner: RunnerProcess, turn: Turn, *, to_the_last: bool = False
    ) -> Done | None:
        """Take what has come of the operation; Done when it has ended."""
        for record in runner.calls.available(to_the_last=to_the_last):
            if isinstance(record, Done) and record.id == turn.id:
                if record.is_unauthorized:
                    runner.refused.is_seen()
                return record
            if isinstance(record, Checkpoint):
                self._journal.save(record.id, record.number, record.metadata)
                runner.calls.send(Saved(record.id, record.number))
        return None

    def _death(self, runner: RunnerProcess, turn: Turn) -> Done | None:
        """The process has ended, or closed its connection: in words; None as of _await_end."""
        runner.part()
        runner.ended.wait(2 * BURIAL)
        match runner.state:
            case Ended(not_begun=True) if not self._journal.has_copies and turn.cancelled is None:
                return None
            case Ended(has_closed=True):
                reason = (
                    f"the plugin's process closed its connection to the host during"
                    f" {turn.operation} and was killed"
                )
            case _ if self._runners.stopping is not None and turn.cancelled is not None:
                reason = f"{turn.operation} was cancelled: {STOPPING}"
            case Ended(how=how):
                reason = f"the plugin's process died during {turn.operation}: {how}"
            case _:
                reason = f"the plugin's process cannot be killed; {turn.operation} is given up"
        return Done(turn.id, "failed", reason)

    def stop(self) -> None:
        """Have what runs finish, stop, or end, in bounded time; refuse whoever comes.

        Not so an uninstall: nobody repeats it, so one that waits or comes gets what time there is.
        """
        self._turns.close(STOPPING, spare_uninstall=True)
        patience = min(self.settings.grace, LONGEST_STOP)
        ends = time.monotonic() + 2 * patience
        while (left := ends - time.monotonic()) > 0:
            turn = self._turns.running
            if self._turns.await_change(turn, min(left, patience)) or turn is None:
                continue
            if turn.cancelled is None:
                turn.cancel(STOPPING)
            elif self._turns.has_waiting and (runner := self._runners.current) is not None:
                runner.kill(STOPPING)
        self.end()

    def end(self) -> None:
        """End the runner, whatever it does, and refuse everybody."""
        self._turns.close(STOPPING)
        if (turn := self._turns.running) is not None:
            turn.cancel(STOPPING)
        self._runners.stop(STOPPING)

    def close(self) -> None:
        """End the runner and all that it has started. Call it last."""
        self._runners.stop(STOPPING)
        if self._runners.is_alive():
            self._runners.join(2)
        linux.kill_children()

    def _finished(self, turn: Turn, *, delivered: bool) -> None:
        """The answer has gone out, or never will: the next one's turn."""
        if delivered:
            self._journal.delivered()
        self._turns.release(turn)
