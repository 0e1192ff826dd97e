"""Whether the module is well, and a sentence about it. Never waits behind an operation."""

from __future__ import annotations

import time
from typing import Final

from modulehost.front.runner_process import Ended, Ready, RunnerProcess
from modulehost.front.runners import Runners
from modulehost.front.turns import Turn, Turns
from modulehost.shared.settings import HEALTH_DEADLINE

PATIENCE: Final = 0.5
"""Seconds for the health hook while an operation runs, and for the plugin to load."""

RETRY_LOADING: Final = 5.0
"""Seconds after which a question for the host's health has a failed load tried again."""

RUNNING: Final = "Service is running"


class Health:
    """Asks the plugin, as far as that is possible."""

    def __init__(self, runners: Runners, turns: Turns, problem: str | None) -> None:
        self._runners = runners
        self._turns = turns
        self._problem = problem

    def __call__(self) -> tuple[bool, str]:
        """Whether the module is well, and a sentence about it."""
        if self._problem is not None:
            return False, self._problem
        runner = self._runners.settled(PATIENCE)
        if runner is None or (state := runner.ready) is None:
            return self._without_runner()
        if not state.loaded.has_health:
            return True, _describe(self._running)
        answer = self._runners.ask(runner, idle=HEALTH_DEADLINE, busy=PATIENCE)
        if answer is not None:
            return answer.healthy, answer.message or _describe(self._running)
        return self._without_answer(runner)

    @property
    def _running(self) -> Turn | None:
        """What runs, as its client sees it."""
        turn = self._turns.running
        return None if turn is None or turn.is_answered else turn

    def _without_runner(self) -> tuple[bool, str]:
        if (running := self._running) is not None:
            return True, _describe(running)
        if (reason := self._runners.load_failure) is not None:
            if time.monotonic() - self._runners.failed_at > RETRY_LOADING:
                self._runners.want()
            return False, reason
        return False, "the plugin is being loaded"

    def _without_answer(self, runner: RunnerProcess) -> tuple[bool, str]:
        if (running := self._running) is not None:
            return True, _describe(running)
        match runner.state:
            case Ended(Ready(), how=how, not_begun=False):
                return False, f"the plugin's process died: {how}"
            case Ended():  # by us: it is replaced, ask the next one
                return self()
        self._turns.when_idle(lambda: runner.kill("its health hook hangs"))
        return False, f"the health hook did not answer within {HEALTH_DEADLINE:g} s"


def _describe(turn: Turn | None) -> str:
    if turn is None:
        return RUNNING
    text = f"{turn.operation} running for {time.monotonic() - turn.started:.1f} s"
    return f"{text}: {turn.progress}" if turn.progress else text
