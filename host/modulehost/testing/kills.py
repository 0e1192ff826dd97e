"""``python -m modulehost.testing.kills``: a life that ends by kill -9 at a note, and its uninstall.

A note is whatever the journal keeps of an operation: each ``ctx.checkpoint()``, and the metadata at
its end. The life is that of a process of its own, as it is in the host: what was not kept by then
is gone with it. Another process, with the same journal, is then called to uninstall.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from modulehost.front.journal import Journal
from modulehost.plugin import config, discovery
from modulehost.plugin.discovery import Found
from modulehost.shared import linux
from modulehost.shared.errors import HostError
from modulehost.shared.records import OperationName
from modulehost.testing.inprocess import LocalHost, LocalOperator

LIFE: Final[tuple[OperationName, ...]] = ("install", "sleep", "resume", "uninstall")


class Kill(msgspec.Struct, frozen=True):
    """Where a life ends: before or after the nth note of an operation is kept."""

    operation: OperationName
    note: int
    is_kept: bool


class Report(msgspec.Struct):
    """What has come of a life; ``notes`` is how many each operation has when nothing kills it.

    ``left`` is what uninstall has left in the ledger.
    """

    problem: str = ""
    config: dict[str, Any] = {}
    notes: dict[OperationName, int] = {}
    left: list[str] = []


class DeadlyJournal(Journal):
    """Kills its process at a note."""

    def __init__(self, folder: str) -> None:
        super().__init__(folder)
        self.notes = 0
        self.kill: Kill | None = None

    def save(self, *arguments: Any, **options: Any) -> None:
        """Keep what a running operation has checkpointed."""
        self._note(lambda: super(DeadlyJournal, self).save(*arguments, **options))

    def finish(self, *arguments: Any, **options: Any) -> None:
        """Keep the outcome."""
        self._note(lambda: super(DeadlyJournal, self).finish(*arguments, **options))

    def _note(self, keep: Callable[[], None]) -> None:
        self.notes += 1
        is_here = self.kill is not None and self.kill.note == self.notes
        if self.kill is not None and is_here and not self.kill.is_kept:
            os.kill(os.getpid(), signal.SIGKILL)
        keep()
        if is_here:
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Write the report to the file in the arguments."""
    parent, report, folder, config_text, kill, *found = sys.argv[1:]
    linux.die_with_parent(int(parent))
    linux.become_subreaper()
    where = msgspec.json.decode(kill, type=Kill | None)
    home = Path(folder)
    shutil.rmtree(home, ignore_errors=True)
    (home / "config").mkdir(parents=True)
    (home / "config/config.json").write_text(config_text)

    def lives() -> None:
        Path(report).write_bytes(msgspec.json.encode(_live(Found(*found), home, where)))

    def uninstalls() -> None:
        Path(report).write_bytes(msgspec.json.encode(_uninstall(Found(*found), home)))

    for process in (lives, *([uninstalls] if where is not None else [])):
        _in_child(process)
    linux.kill_children()
    os._exit(0)


def _in_child(run: Callable[[], None]) -> None:
    """Run it in a process of its own; what it has started ends with it."""
    pid = os.fork()
    if pid == 0:
        try:
            run()
        finally:
            os._exit(0)  # threads that the plugin has started could hold up any other end
    os.waitpid(pid, 0)
    linux.kill_children()


def _live(found: Found, home: Path, kill: Kill | None) -> Report:
    """Go through the operations up to the one that is killed; comes back only when none was."""
    report = Report()
    try:
        host = LocalHost(found, home, DeadlyJournal)
        report.config = _config(found, home)
    except HostError as error:
        return Report(str(error))
    journal = host.journal
    assert isinstance(journal, DeadlyJournal)  # noqa: S101 - as it was told
    operator = LocalOperator(host)
    for operation in LIFE:
        (home / "annotation").write_text(operator.annotation)
        journal.notes = 0
        journal.kill = kill if kill is not None and kill.operation == operation else None
        outcome = operator.call(operation)
        if not outcome.succeeded:
            report.problem = f"{operation} fails: {outcome.body.strip() or outcome.event}"
            break
        report.notes[operation] = journal.notes
    report.left = _left(host)
    return report


def _left(host: LocalHost) -> list[str]:
    """What the last uninstall was warned of."""
    return [str(thing) for line in host.logs for thing in line.get("things", ())]


def _config(found: Found, home: Path) -> dict[str, Any]:
    """The config by its aliases, defaults filled in."""
    given: dict[str, Any] = config.read_file(str(home / "config")) or {}
    schema = discovery.load(found).schema
    if schema is None:
        return given
    values: dict[str, Any] = msgspec.to_builtins(schema.convert(given)[0])
    return values


def _uninstall(found: Found, home: Path) -> Report:
    """What the operator does next, with the metadata that it has stored."""
    try:
        host = LocalHost(found, home)
        operator = LocalOperator(host)
    except HostError as error:
        return Report(str(error))
    operator.annotation = (home / "annotation").read_text()
    outcome = operator.call("uninstall")
    problem = "" if outcome.succeeded else outcome.body.strip() or outcome.event
    return Report(problem, left=_left(host))


if __name__ == "__main__":
    main()
