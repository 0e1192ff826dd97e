"""``make soak``: one real host, thousands of operations, one in twenty of them with a fault.

The operator's stand-in calls; the plugin ``endures`` complains when it is given metadata other than
what it last left. After the first thousand operations, and in the end, each process is measured.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from support.host import Host
from support.processes import alive, wait_until

from modulehost.shared.records import OperationName
from modulehost.testing.operator import Operator, Outcome

REPORT = Path("build/soak.txt")
GLIBC_TUNABLES = "glibc.malloc.tcache_count=0"  # as the image sets it
WARM = 1_000  # operations before the first measurement
SHARE = 0.05  # of the operations go wrong
TOLERANCE = 0.05
CALM = 200  # operations without a fault before each measurement, in a new runner
LONG = 1_000  # more of them in the same runner, in the end
CROWD = 4
DEADLINE = 2.0

IN_PLUGIN = {
    "raises": 20,
    "fails": 20,
    "exits": 10,
    "segfaults": 10,
    "leaves too large an integer": 8,
    "leaves children behind and fails": 5,
    "prints a megabyte and fails": 2,
    "is killed": 8,
    "passes its deadline": 2,
    "passes its deadline and does not stop": 2,
}
OUTSIDE = {
    "its client hangs up": 8,
    "the answer is lost": 8,
    "the annotation is not stored": 8,
    "the runner is killed before": 8,
    "a body that is no JSON": 5,
    "half a request": 5,
}
FAULTS = IN_PLUGIN | OUTSIDE
HARMLESS = {
    "the answer is lost",
    "the annotation is not stored",
    "the runner is killed before",
    "a body that is no JSON",
    "half a request",
}
NOT_FOR_UNINSTALL = {
    "its client hangs up",
    "the answer is lost",
    "the annotation is not stored",
    "leaves too large an integer",
}
"""Uninstall is never repeated, and may leave anything: it succeeds, and all is forgotten."""


class Process(NamedTuple):
    """What a process takes. Memory as if it were alone: PSS, but each page of a file in full."""

    descriptors: int
    threads: int
    memory: int  # KiB


def look_at(pid: int) -> Process:
    """Measure a process."""
    folder = Path(f"/proc/{pid}")
    status = dict(
        line.split(":", 1) for line in (folder / "status").read_text().splitlines() if ":" in line
    )
    rollup = (folder / "smaps_rollup").read_text()
    anonymous = sum(
        int(line.split()[1])
        for line in rollup.splitlines()
        if line.startswith(("Pss_Anon:", "Pss_Shmem:"))
    )
    return Process(
        len(list((folder / "fd").iterdir())),
        int(status["Threads"]),
        anonymous + int(status["RssFile"].split()[0]),
    )


class Measurement(NamedTuple):
    """The host at one time."""

    operations: int
    processes: int
    each: dict[str, Process]


class Soak:
    """The driver: what was done, and what of it."""

    def __init__(self, host: Host, operator: Operator, seed: int) -> None:
        self.host = host
        self.operator = operator
        self.done = 0
        self.faults: Counter[str] = Counter()
        self.problems: list[str] = []
        self._random = random.Random(seed)
        self._last: OperationName = "uninstall"
        self._failed = False

    def operate(self, *, calm: bool = False) -> None:
        """One operation; ``calm``: without a fault."""
        operation = self._next()
        fault = None
        if not calm and self._random.random() < SHARE:
            names = [
                name for name in FAULTS if operation != "uninstall" or name not in NOT_FOR_UNINSTALL
            ]
            fault = self._random.choices(names, [FAULTS[name] for name in names])[0]
            self.faults[fault] += 1
        outcome = self._call(operation, fault)
        self.done += 1
        must_fail = fault is not None and fault not in HARMLESS
        must_fail |= fault == "the answer is lost"
        may_fail = fault == "the runner is killed before"  # or just when the call comes
        if outcome.succeeded is must_fail and not may_fail:
            self.problems.append(f"{self.done}: {operation}, {fault or 'no fault'}: {outcome}")
        # for the same operation again after an answer the body counts, and not the journal
        self._failed = outcome.status == 400
        self._last = operation
        if operation == "uninstall" and outcome.succeeded:
            self.operator.edit({})  # the next Module

    def _next(self) -> OperationName:
        if self._last == "uninstall":
            return "uninstall" if self._failed else "install"
        choices: list[OperationName] = ["sleep", "resume", "uninstall"]
        if not self._failed and self._last in choices:
            choices.remove(self._last)
        return self._random.choices(choices, [1 if c == "uninstall" else 10 for c in choices])[0]

    def _call(self, operation: OperationName, fault: str | None) -> Outcome:
        if fault in IN_PLUGIN or fault == "its client hangs up":
            (self.host.folder / "fault").write_text(str(fault))
        match fault:
            case "is killed":
                with meanwhile(self._kill):
                    return self.operator.call(operation)
            case "the runner is killed before":
                with contextlib.suppress(AssertionError, ProcessLookupError):  # none at the moment
                    os.kill(self.host.runner, signal.SIGKILL)
            case "its client hangs up":
                outcome = self.operator.call(operation, hangs_up_after=0.5)
                began = self.host.folder / "began"
                wait_until(began.exists, "the operation began")
                began.unlink()
                return outcome
            case "the answer is lost":
                return self.operator.call(operation, loses_answer=True)
            case "the annotation is not stored":
                return self.operator.call(operation, cannot_store=True)
            case "a body that is no JSON":
                if self.host.request("POST", f"/{operation}", b'{"a": ').status != 400:
                    self.problems.append(f"{self.done}: no 400 for a bad body")
            case "half a request":
                with self.host.connect() as sock:
                    head = b"POST /sleep HTTP/1.1\r\nContent-Length: 99\r\n\r\n{"
                    sock.sendall(head[: self._random.randrange(len(head)) + 1])
        return self.operator.call(operation)

    def _kill(self) -> None:
        told = self.host.folder / "pid"
        wait_until(told.exists, "the plugin tells its process id")
        pid = int(told.read_text())
        told.unlink()
        os.kill(pid, signal.SIGKILL)

    def crowd(self) -> None:
        """Some clients at once: the front keeps the threads that it has made for them."""
        with contextlib.ExitStack() as stack:
            for _ in range(CROWD):
                stack.enter_context(self.host.connect()).sendall(b"GET /hea")
            self.ask()

    def ask(self) -> None:
        """Ask for the health: always well, since the plugin says nothing else."""
        began = time.monotonic()
        reply = self.host.health()
        if reply.status != 200 or time.monotonic() - began > 2:
            self.problems.append(f"{self.done}: health {reply.status} {reply.text}")

    def measure(self) -> Measurement:
        """Look at the processes, after some operations in a new runner."""
        old = self.host.runner
        os.kill(old, signal.SIGKILL)
        wait_until(lambda: not alive(old), "the runner is gone")
        for _ in range(CALM):
            self.operate(calm=True)
        host = self.host
        wait_until(lambda: len(host.survivors()) == 4, "only the host's processes are there", 30)
        time.sleep(3)  # for threads that linger
        pids = {name: getattr(host, name) for name in ("keeper", "arbiter", "front", "runner")}
        each = {name: look_at(pid) for name, pid in pids.items()}
        return Measurement(self.done, len(host.survivors()), each)


@contextlib.contextmanager
def meanwhile(action: Callable[[], None]) -> Iterator[None]:
    """Do it in another thread for the length of the block."""
    thread = threading.Thread(target=action)
    thread.start()
    yield
    thread.join()


def compare(before: Measurement, after: Measurement) -> Iterator[tuple[str, bool]]:
    """A line for each figure, and whether it is within the tolerance."""
    yield f"{'':24}{before.operations:>12,}{after.operations:>12,}", True
    pairs: list[tuple[str, int, int]] = [("processes", before.processes, after.processes)]
    for name, one in before.each.items():
        other = after.each[name]
        for field in Process._fields:
            unit = ", KiB" if field == "memory" else ""
            pairs.append((f"{name}: {field}{unit}", getattr(one, field), getattr(other, field)))
    for title, one_value, other_value in pairs:
        good = other_value <= one_value * (1 + TOLERANCE)
        change = f"{(other_value / one_value - 1) * 100:+.1f} %"
        yield f"{title:24}{one_value:>12,}{other_value:>12,}{change:>10}", good


def soak(operations: int, seed: int, folder: Path) -> tuple[str, bool]:
    """Run it; the report, and whether all was well."""
    began = time.monotonic()
    with (
        Host(
            folder,
            "endures",
            MODULE_DEADLINE=DEADLINE,
            MODULE_GRACE=0.5,
            MODULE_IDLE=0,
            GLIBC_TUNABLES=GLIBC_TUNABLES,
        ) as host,
        Operator(host.port) as operator,
    ):
        drive = Soak(host, operator, seed)
        host.wait_for("plugin loaded")
        front = host.front
        before = None
        drive.crowd()
        while drive.done < operations:
            drive.operate()
            if drive.done % 50 == 0:
                drive.ask()
            if before is None and drive.done >= min(WARM, operations // 4):
                before = drive.measure()
            if drive.done % 1000 == 0:
                print(f"{drive.done} operations, {time.monotonic() - began:.0f} s", flush=True)
        assert before is not None
        after = drive.measure()
        for _ in range(LONG):
            drive.operate(calm=True)
        runner = look_at(host.runner)
        lost = folder / "lost"
        losses = lost.read_text().splitlines() if lost.exists() else []
        same_front = host.front == front
    rows = list(compare(before, after))
    grown = runner.memory / after.each["runner"].memory - 1
    problems = drive.problems + [f"not within {TOLERANCE:.0%}: {t}" for t, good in rows if not good]
    problems += [f"metadata lost: {line}" for line in losses]
    if grown > TOLERANCE:
        problems.append(f"a runner grew by {grown:.1%} in {LONG} operations")
    if not same_front:
        problems.append("the front was replaced")
    took = time.monotonic() - began
    report = [
        f"{drive.done:,} operations in {took:.0f} s, {sum(drive.faults.values()):,} faults;"
        f" seed {seed}",
        "",
        *(title for title, _ in rows),
        f"a runner after {LONG:,} more operations: memory {grown * 100:+.1f} %",
        f"metadata lost: {len(losses)}",
        "",
        *(f"{count:>6}  {name}" for name, count in drive.faults.most_common()),
        "",
        *(problems[:30] or ["all is well"]),
    ]
    return "\n".join(report) + "\n", not problems


def main() -> int:
    """Parse the arguments, run, report."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--operations", type=int, default=20_000, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report, well = soak(arguments.operations, arguments.seed, Path(folder))
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(report)
    print(f"\n{report}\n{REPORT}")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
