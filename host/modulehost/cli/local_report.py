"""How ``modulehost local`` looks: phases, changes of the metadata, log lines."""

from __future__ import annotations

import time
from typing import Any, Final

from modulehost.cli.said import note
from modulehost.cli.terminal import Cell, Screen
from modulehost.local.diff import changes, leaves
from modulehost.local.life import Life, Result
from modulehost.local.lines import shown
from modulehost.local.state import MOVING, State
from modulehost.shared.records import OperationName

BEGINS: Final[dict[OperationName, str]] = {
    "install": "installing",
    "sleep": "sleeping",
    "resume": "resuming",
    "uninstall": "uninstalling",
}
"""The phase that each operation begins with."""

_STYLES: Final = {"ready": "green", "sleeped": "blue", "failed": "bold red", "deleted": "bold red"}
_LEVELS: Final = {"warning": "yellow", "error": "red", "critical": "red"}
_SIGNS: Final = {"+": "green", "-": "red"}


class Reporter:
    """Takes one Module through operations, and prints what comes of each."""

    def __init__(self, screen: Screen, life: Life) -> None:
        self.status = 0
        self._screen = screen
        self._life = life

    def do(self, operation: OperationName) -> bool:
        """Call, and print phases and changes; whether it succeeded."""
        life = self._life
        name = life.module.name
        self._screen.line(f"{name} ", (BEGINS[operation], "yellow"))
        try:
            result: Result = getattr(life, operation)()
        except KeyboardInterrupt:
            note(f"stopped, as if the operator had been restarted: {self._stays}")
            raise
        show_changes(self._screen, result)
        self._screen.line(f"{name} ", *ending(life.state, result))
        if not result.succeeded:
            self.status = 1
            note(shown_event(result.event))
            self._cure(operation)
        return result.succeeded

    def _cure(self, operation: OperationName) -> None:
        name, state = self._life.module.name, self._life.state
        match operation:
            case "install":
                cure = f"nothing but deletion is left: modulehost local delete {name}, and apply it"
                cure += " again"
            case "uninstall" if state.pod is not None:
                return  # whoever has called it knows more of what is left
            case "uninstall" if state.manager:
                cure = "nobody can call its host any more: what the plugin has made is still there"
            case "uninstall":
                cure = "nothing was installed, so nothing is left"
            case _:
                cure = self._stays
        note(cure + (f"; modulehost local logs {name} has the log" if state.pod else ""))

    @property
    def _stays(self) -> str:
        name, state = self._life.module.name, self._life.state
        if state.is_deleted:
            return f"{name} stays {state.phase}, and hangs: modulehost local fail {name}"
        return f"{name} stays {state.phase}, and is failed after {state.stuck_after:g} s"


def ending(state: State, result: Result) -> tuple[Cell, Cell]:
    """Where the Module is after an operation, and how long that took."""
    after = (f" after {took(result.seconds)}", "dim")
    if state.phase == "uninstalling":  # there is no such Module any more
        return ("gone", "green" if result.succeeded else "bold red"), after
    if state.phase in MOVING:
        return (f"still {state.phase}", "bold red"), after
    return phase_of(state), after


def phase_of(state: State) -> tuple[str, str]:
    """The phase with its colour."""
    return state.phase, _STYLES.get(state.phase, "yellow")


def show_changes(screen: Screen, result: Result) -> None:
    """Print what has changed in the metadata."""
    if result.operation != "uninstall":
        for change in changes(result.before, result.after):
            screen.line("  ", (str(change), _SIGNS[change.sign]))
    if result.note:
        screen.line("  ", (f"note: {result.note}", "yellow"))


def show_log(screen: Screen, line: dict[str, Any], without: tuple[str, ...] | None = None) -> None:
    """Print a line of the host's log; ``without`` what is known where it stands, and set in."""
    style = _LEVELS.get(str(line.get("level")), "dim")
    for text in shown(line, without=without or ()):
        screen.line("" if without is None else "  ", (text, style))


def show_module(screen: Screen, state: State, facts: dict[str, str]) -> None:
    """Print all there is to know of a Module."""
    for fact, words in facts.items():
        if not words:
            continue
        style = phase_of(state)[1] if fact == "Phase" else ""
        screen.line((f"{fact + ':':11}", "bold"), (words, style))
    screen.line()
    metadata = list(leaves(state.metadata))
    screen.line(("Metadata:", "bold"), "" if metadata else "  none")
    for path, value in metadata:
        screen.line(f"  {path}: {value}")
    screen.line()
    screen.line(("Events:", "bold"), "" if state.events else "    none")
    if state.events:
        rows = [(ago(time.time() - e.at), e.reason, e.message) for e in state.events]
        screen.table(("AGO", "REASON", "MESSAGE"), rows)


def shown_event(event: str) -> str:
    """The event as kubectl shows it, line breaks and all, without what a terminal would obey."""
    return "".join(c if c.isprintable() or c == "\n" else " " for c in event).rstrip()


def took(seconds: float) -> str:
    """How long something took."""
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{seconds * 1000:.0f} ms"


def ago(seconds: float) -> str:
    """A time that has passed, in its largest unit."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{int(seconds / size)}{unit}"
    return f"{max(0, int(seconds))}s"
