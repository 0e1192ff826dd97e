"""``modulehost local run``: the whole life of a Module, told as it happens."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import Any, NoReturn

from modulehost.cli.local_report import BEGINS, ending, show_changes, show_log, shown_event, took
from modulehost.cli.said import note
from modulehost.cli.terminal import Cell, Screen
from modulehost.local import pod
from modulehost.local.diff import changes
from modulehost.local.life import Life, Result
from modulehost.local.lines import Tail
from modulehost.local.state import MOVING, State
from modulehost.local.store import Home
from modulehost.shared.records import OperationName

_KNOWN = ("operation", "plugin", "request_id")  # of a log line under its operation
_DULL = (  # told by what is printed anyway, or of no use without a cluster
    *("listening", "operation finished", "call refused"),
    "whether the call is for this pod is not known",
)
_LIFE: tuple[OperationName, ...] = ("install", "sleep", "resume", "uninstall")


def live(home: Home, state: State) -> int:
    """Take the Module through its life; 1 at the first failure. Nothing is left of a success."""
    if (before := home.read()) is not None and before.pod is not None:
        pod.let_go(before.pod)
        pod.stop(before.pod)  # of a run that was killed
    home.empty()
    life = Life(home, state)
    signal.signal(signal.SIGTERM, _stop)
    try:
        return _Run(life).live()
    finally:
        life.stop()  # whatever has happened: nobody else knows of this host


def _stop(number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)


class _Run:
    def __init__(self, life: Life) -> None:
        self._life = life
        self._screen = Screen()
        self._results: list[Result] = []
        self._running: OperationName | None = None
        self._stopped: OperationName | None = None

    def live(self) -> int:
        """Call one operation after the other, and print the summary."""
        state, module = self._life.state, self._life.module
        self._screen.line((module.name, "bold"), f": the plugin {state.plugin}")
        status = 0
        try:
            for operation in _LIFE:
                if not self._do(operation).succeeded:
                    status = 1
                    break
        except KeyboardInterrupt:
            status = 130
            self._stopped = self._running
            note("stopped; the module is uninstalled first")
        if status and self._is_installed:
            self._tell_what_would_be()
            self._do("uninstall")
        self._sum_up(status)
        if status == 0:
            self._life.forget()
        else:
            self._tell_what_is_left()
        return status

    @property
    def _is_installed(self) -> bool:
        """Whether there may be something that nobody has tried to uninstall."""
        tried = [result.operation for result in self._results]
        return self._life.state.pod is not None and "uninstall" not in tried

    def _do(self, operation: OperationName) -> Result:
        screen = self._screen
        screen.line()
        screen.line((BEGINS[operation], "bold"))
        self._running = operation
        with Tail(self._life.home.log, self._show):
            result: Result = getattr(self._life, operation)()
        show_changes(screen, result)
        self._running = None
        self._results.append(result)
        screen.line(*ending(self._life.state, result))
        if not result.succeeded:
            screen.line((shown_event(result.event), "red"))
        return result

    def _show(self, line: dict[str, Any]) -> None:
        is_as_sent = line["event"] == "operation started" and line.get("metadata") == "as sent"
        if line["event"] not in _DULL and not is_as_sent:
            show_log(self._screen, line, _KNOWN)

    def _tell_what_would_be(self) -> None:
        state = self._life.state
        if state.phase in MOVING:
            self._screen.line()
            self._screen.line(
                f"in a cluster it is failed after {state.stuck_after:g} s, and can be deleted then"
            )

    def _sum_up(self, status: int) -> None:
        rows: list[tuple[Cell, ...]] = []
        for operation in _LIFE:
            rows += [_row(result) for result in self._results if result.operation == operation] or [
                (operation, self._why_not(operation), "", "")
            ]
        self._screen.line()
        self._screen.table(("OPERATION", "OUTCOME", "TIME", "METADATA"), rows)
        self._screen.line()
        seconds = sum(result.seconds for result in self._results)
        failed = next((r for r in self._results if not r.succeeded), None)
        name = self._life.module.name
        if failed is not None:
            self._screen.line((f"{name} failed to {failed.operation}", "bold red"))
        elif status:
            self._screen.line((f"{name} was stopped", "bold red"))
        else:
            words = f" its whole life in {took(seconds)}"
            self._screen.line((f"{name} lived", "green"), words)

    def _why_not(self, operation: OperationName) -> Cell:
        return ("stopped" if operation == self._stopped else "not called"), "yellow"

    def _tell_what_is_left(self) -> None:
        home, state = self._life.home, self._life.state
        if state.pod is None:
            home.remove()
            return
        told = (
            f"what it had is kept in {home.path} until the next run: log, metadata (module.json),"
            " config, journal"
        )
        if state.phase == "deleted":
            told += (
                f"; what it has made is still there: to uninstall it again, serve it with"
                f" MODULE_PLUGIN={state.plugin} MODULE_CONFIG_DIR={home.config}"
                f" MODULE_STATE_DIR={home.state} modulehost serve, and call it with"
                f" MODULE_STATE_DIR={home.state} modulehost call uninstall"
            )
        note(told)


def _row(result: Result) -> tuple[Cell, ...]:
    found = [change.sign for change in changes(result.before, result.after)]
    counts = " ".join(f"{sign}{found.count(sign)}" for sign in "+-" if sign in found)
    if result.operation != "uninstall":
        counts = counts or "unchanged"
    outcome = ("ok", "green") if result.succeeded else ("FAILED", "bold red")
    return result.operation, outcome, took(result.seconds), counts
