"""Every crash point of an operation: killed or failed there, nothing is lost and nothing is left.

Each operation runs once under strace, which lists the calls of front and runner that change
something; then once more for each of them, with SIGKILL there, and once for each error. After that
comes what the operator does, or a person, and the world of the plugin is looked at. A host that
sleeps is woken by the operation: there every process is killed as it comes to its nth call.

``make slow`` tries some points of each, ``CRASH_POINTS=all`` (``make soak``) all there are, and
writes the table of ``docs/reliability.md`` into ``build/crash-points.txt``.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections import Counter
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import pytest
from support import crash
from support.crash import Point, Trace
from support.processes import alive, tree, wait_until
from support.worlds import WORLDS

from modulehost.shared.metadata import decode
from modulehost.shared.records import OperationName
from modulehost.testing import Operator, Outcome

pytestmark = pytest.mark.slow

ALL = os.environ.get("CRASH_POINTS") == "all"
FAULTS = {"KILL": 6, "ENOSPC": 2, "EIO": 2, "EINTR": 1}
"""How many points of a process are tried with each fault in make slow."""

LIFE: tuple[OperationName, ...] = ("install", "sleep", "resume", "uninstall")
LONGEST = 30.0
"""Seconds for an answer, whatever happens."""

DEPTHS = ("keeper", "arbiter", "front", "runner", "a child")
REPORT = Path("build/crash-points.txt")


@pytest.fixture(autouse=True)
def traced() -> None:
    """Skip where strace cannot trace; never in CI."""
    if (reason := crash.why_not()) is not None:
        assert not crash.in_ci(), reason
        pytest.skip(reason)


class Story:
    """The life of a module up to an operation, that operation, and what comes after it."""

    def __init__(self, plugin: str, folder: Path, *, asleep: bool = False) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.world = WORLDS[plugin]
        self.host = self.world.serve(folder, {"MODULE_IDLE": 0.3 if asleep else 0})
        self.asleep = asleep
        self.operator = Operator(self.host.port)
        self.installed: dict[str, str] = {}
        self.is_traced = False

    def __enter__(self) -> Self:
        self.host.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.operator.close()
        self.host.__exit__(kind, error, trace)

    @property
    def things(self) -> dict[str, str]:
        """What the plugin has made."""
        return self.world.things(self.folder)

    def live_until(self, operation: OperationName) -> None:
        """Everything before the operation, and a host that is ready for it."""
        if not self.asleep:  # that one may be asleep again before it has loaded it
            self.host.wait_for("plugin loaded", seconds=LONGEST)
        for earlier in LIFE[: LIFE.index(operation)]:
            assert self.operator.call(earlier).succeeded
            self.installed = self.installed or self.things
        if self.asleep:
            self.operator.close()
            self.host.wait_for("asleep", seconds=LONGEST)  # only the keeper is there at first, too
            wait_until(self.host.is_asleep, "the host is asleep")
        else:
            self.host.health()  # a thread that serves is there

    def call(self, operation: OperationName) -> Outcome:
        """A call of the operator; whoever is answered is told something."""
        is_kept = self.is_kept(operation)
        outcome = self.operator.call(operation, hangs_up_after=LONGEST)
        assert "restarted" not in outcome.event, f"{operation} is not answered"
        if not self.is_traced and is_kept:
            given = self.host.events("operation started")[-1]["metadata"]
            assert given.startswith("restored from the journal"), given
        if outcome.status is not None and not outcome.succeeded:
            assert outcome.status == 400, outcome
            assert re.fullmatch(r"[^\n]+\n", outcome.body), outcome
        return outcome

    def recover(self, keeper: int) -> None:
        """The host is well again, whoever was killed; a pod whose keeper was is started again."""
        if not alive(keeper):
            self.host.process.wait()
            wait_until(lambda: not self.host.survivors(), "all of the pod is gone")
            self.host.start().listening()
        self.operator.close()
        wait_until(lambda: self.host.health().status == 200, "the host is well again", 20)
        if not self.asleep:
            wait_until(lambda: len(tree(self.host.keeper)) == 4, "only the host's processes")

    def end(self, operation: OperationName, outcome: Outcome, *, goes_on: bool) -> None:
        """What the operator does then; with ``goes_on`` what a person does who repeats the call."""
        if operation in ("sleep", "resume") and goes_on:
            for later in LIFE[LIFE.index(operation) : 3]:
                assert self.call(later).succeeded, f"{later} after {outcome}"
            assert self.things == self.installed
        if operation != "uninstall" or not outcome.succeeded:
            last = self.call("uninstall")
            assert last.succeeded, f"uninstall: {last.body}"
        assert self.things == {}

    def is_kept(self, operation: OperationName) -> bool:
        """Whether the journal has an outcome that the operator has not: the next hook gets it."""
        journal = self.host.journal()
        is_repeated = operation == journal.operation and journal.delivered
        is_changed = journal.left().text != journal.sent
        return is_changed and not is_repeated and decode(journal.sent) == self.operator.metadata


@cache
def points_of_waking(plugin: str) -> list[Point]:
    """The points of all processes when an install wakes the host."""
    with (
        tempfile.TemporaryDirectory() as temporary,
        Story(plugin, Path(temporary), asleep=True) as story,
    ):
        story.live_until("install")
        with Trace(story.host.keeper, story.folder / "trace") as trace:
            assert story.call("install").succeeded
            trace.settle()
        assert story.call("uninstall").succeeded
        return trace.points("any")


class Tried(NamedTuple):
    """What has come of a point."""

    point: Point
    by: str
    """Who made the call: the process, a child of its, nobody; or a thread that woke another."""
    problem: str


@cache
def points(plugin: str, operation: OperationName) -> dict[str, list[Point]]:
    """The points of front and runner, from one run in which nothing goes wrong."""
    with tempfile.TemporaryDirectory() as temporary, Story(plugin, Path(temporary)) as story:
        folder = story.folder
        story.live_until(operation)
        with (
            Trace(story.host.front, folder / "front") as front,
            Trace(story.host.runner, folder / "runner") as runner,
        ):
            assert story.call(operation).succeeded
            front.settle()
            runner.settle()
        if operation != "uninstall":
            assert story.call("uninstall").succeeded
        assert story.things == {}
        return {"front": front.points("front"), "runner": runner.points("runner")}


def attempt(plugin: str, operation: OperationName, point: Point, fault: str, folder: Path) -> Tried:
    """One life in which a process is killed, or has a call fail, at the point."""
    inject = crash.killing(point) if fault == "KILL" else crash.failing(point, fault)
    by = "nobody"
    try:
        with Story(plugin, folder, asleep=point.process == "any") as story:
            story.live_until(operation)
            keeper = story.host.keeper
            victim = keeper if point.process == "any" else getattr(story.host, point.process)
            own = {int(path.name) for path in Path(f"/proc/{victim}/task").iterdir()}
            with Trace(victim, folder / "trace", inject) as trace:
                story.is_traced = True
                outcome = story.call(operation)
                story.is_traced = False
                trace.settle()
            if (call := trace.hit(point)) is not None:
                if story.asleep:
                    by = DEPTHS[min(trace.depths().get(call.thread, 4), 4)]
                else:
                    by = point.process if call.thread in own else "a child"
                if not call.changes:  # another thread's nth: it wakes one of its own process
                    by = "within"
                    return Tried(point, by, "")
            story.recover(keeper)
            story.end(operation, outcome, goes_on=point.number % 2 == 0)
            if outcome.status is None:
                assert by != "nobody", f"no answer, and nothing was injected: {outcome.event}"
                assert point.process != "runner", f"no answer: {outcome.event}"
    except AssertionError as error:
        return Tried(point, by, "" if by == "within" else str(error).splitlines()[0])
    return Tried(point, by, "")


def some(found: list[Point], number: int) -> list[Point]:
    """So many of them, spread evenly; all where all are wanted."""
    if ALL or len(found) <= number:
        return found
    return [found[(2 * i + 1) * len(found) // (2 * number)] for i in range(number)]


def report(*rows: object) -> None:
    """Add a line to the table."""
    if ALL:
        REPORT.parent.mkdir(exist_ok=True)
        with REPORT.open("a") as file:
            file.write("| " + " | ".join(map(str, rows)) + " |\n")


def judge(
    plugin: str, operation: str, process: str, fault: str, found: int, tried: list[Tried]
) -> None:
    """All was well, and nearly all points were hit: threads may share the work another way."""
    hits = Counter(one.by for one in tried)
    problems = [
        f"{one.point} {fault} (hit: {one.by}): {one.problem}" for one in tried if one.problem
    ]
    missed = hits["nobody"] + hits["within"]
    report(plugin, operation, process, fault, found, len(tried) - missed, missed, len(problems))
    assert not problems, "\n".join(problems)
    assert hits["nobody"] <= len(tried) // 10, [str(o.point) for o in tried if o.by == "nobody"]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("operation", LIFE)
@pytest.mark.parametrize("plugin", WORLDS)
def test_a_fault_at_a_call_that_changes_something(
    tmp_path: Path, plugin: str, operation: OperationName, fault: str
) -> None:
    """Nothing is left after uninstall, and sleep and resume can be repeated."""
    for process, met in points(plugin, operation).items():
        found = [one for one in met if fault == "KILL" or one.name not in crash.BIRTHS]
        assert found
        tried = [
            attempt(plugin, operation, point, fault, tmp_path / process / f"{number}")
            for number, point in enumerate(some(found, FAULTS[fault]))
        ]
        judge(plugin, operation, process, fault, len(found), tried)


def test_killed_while_the_host_is_woken(tmp_path: Path) -> None:
    """Whichever process it is, the keeper too: a pod that is started again has the journal."""
    found = points_of_waking("example")
    tried = [
        attempt("example", "install", point, "KILL", tmp_path / f"{number}")
        for number, point in enumerate(some(found, 2 * FAULTS["KILL"]))
    ]
    for process in DEPTHS:
        those = [one for one in tried if one.by == process]
        judge("example", "waking", process, "KILL", len(those), those)
    judge("example", "waking", "any", "KILL", len(found), tried)
