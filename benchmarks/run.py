"""``make bench``: modulehost beside a bare Flask application and functions-framework.

docs/performance.md says how it is measured, and what bounds each figure.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import signal
import statistics
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from client import install
from measures import MEASURES
from servers import BARE, FUNCTION, GO, OURS, BenchError, Process, ours, peers

Results = dict[str, dict[str, list[float]]]
"""Server and figure; one value a round."""


class Row(NamedTuple):
    """A row of the table: a figure of ours, and the peers' figure that it is set against."""

    title: str
    figure: str
    against: str | None
    at_most: float | None = None
    bound_by: str = BARE


def _same(title: str, figure: str, at_most: float | None = None) -> Row:
    return Row(title, figure, figure, at_most)


ROWS = (
    _same("start to listening, ms", "listening", 0.02),
    Row("the same, beside the Go server", "listening", "listening", 1.0, GO),
    Row("that without the native listener, ms", "listening in Python", "listening", 0.2),
    _same("start to the first 200, ms", "first 200", 0.65),
    _same("processor time until then, ms", "processor time", 0.7),
    Row("start to an /install's answer, ms (theirs: first 200)", "installed", "first 200", 0.8),
    _same("memory awake, MiB", "awake", 1.0),
    Row("memory asleep, MiB (theirs: awake)", "asleep", "awake", 0.025),
    Row("the same, beside the Go server", "asleep", "awake", 0.15, GO),
    Row("that without the native listener, MiB", "asleep in Python", "awake", 0.18),
    Row("asleep to a 200, ms (theirs: first 200)", "waking", "first 200", 0.65),
    Row("one host asleep, MiB", "1 asleep", None, 1.0),
    Row("each of 50, MiB", "50 asleep", None, 1.0),
    Row("each of 200, MiB", "200 asleep", None, 1.0),
    Row("one woken, ms", "1 woken", None),
    Row("50 called at once: the last answer, ms a host", "50 woken", None),
    Row("200 called at once: the last answer, ms a host", "200 woken", None),
    _same("POST /sleep and /resume of 1 KiB, one assignment, ms", "life of 1 KiB", 1.3),
    _same("of 240 KiB of texts", "life of 240 KiB", 1.0),
    _same("of 64 KiB, nested", "nested life of 64 KiB"),
    _same("of 240 KiB, nested", "nested life of 240 KiB", 1.0),
    _same("of 1 KiB, 50 ms apart", "spaced"),
    _same("POST /install of 1 KiB, the example plugin, ms", "1 KiB", 1.5),
    _same("of 64 KiB, ms", "64 KiB"),
    _same("of 240 KiB, ms", "240 KiB", 0.7),
    _same("of 1 MiB, ms", "1 MiB"),
    _same("GET /health, ms", "health"),
    _same("its p99, without a health hook, ms", "idle"),
    _same("that while a plugin burns a core, ms", "burning"),
    Row("that as a multiple of idle", "burning / idle", None, 2.0),
    Row("that with a health hook in the burning plugin", "hook burning / idle", None, 2.0),
    Row("first 200 beside no other plugin, ms", "0 others", None),
    Row("first 200 beside 200 other plugins, ms", "200 others", None),
    Row("that as a multiple of none", "crowded / alone", None, 1.1),
    Row("kill -9 of the runner to the next 200, ms", "runner killed", None),
    _same("kill -9 of the front, ms", "front killed"),
    Row("kill -9 of the arbiter, ms", "arbiter killed", None),
)


def measure(quick: bool, only: str | None) -> Results:
    """Every measure in rounds; in each round every server once, in another order each time."""
    servers = [ours(), *peers()]
    results: Results = {server.name: {} for server in servers}
    for server in servers:
        with Process(server) as process:  # so that the bytecode is written, and the disk read
            process.answers(201, install)
    for measure in MEASURES:
        if only not in (None, measure.visit.__name__):
            continue
        visited = [server for server in servers if server.name in measure.servers]
        rounds = measure.quick if quick else measure.rounds
        print(f"{measure.visit.__name__}: {rounds} rounds", file=sys.stderr)
        for _ in range(rounds):
            for server in random.sample(visited, len(visited)):
                for figure, value in measure.visit(server).items():
                    results[server.name].setdefault(figure, []).append(value)
    return results


def ratio(results: Results, row: Row, peer: str) -> float | None:
    """How many times as much ours has: the median over the rounds, each taken side by side."""
    theirs = results.get(peer, {}).get(row.against or "")
    if not theirs:
        return None
    pairs = zip(results[OURS].get(row.figure, ()), theirs, strict=True)
    return statistics.median(mine / other for mine, other in pairs)


def median(values: list[float] | None) -> float | None:
    """The median, where there are values."""
    return statistics.median(values) if values else None


def table(results: Results) -> str:
    """The table as Markdown. What is above its bound has a ``!``."""
    others = [peer for peer in (BARE, FUNCTION, GO) if peer in results]
    heads = ("", OURS, *others, *(f"/ {peer}" for peer in others), "at most")
    lines: list[tuple[str, ...]] = [heads]
    for row in ROWS:
        mine = median(results[OURS].get(row.figure))
        if mine is None or row.bound_by not in results:
            continue  # not measured this time
        beside = [median(results[peer].get(row.against or row.figure)) for peer in others]
        ratios = [ratio(results, row, peer) for peer in others]
        bound = ""
        if row.at_most is not None:
            promised = mine if row.against is None else ratio(results, row, row.bound_by)
            bound = f"{row.at_most:g}"
            if promised is not None and promised > row.at_most:
                bound += " !"
        cells = [_number(value) for value in (mine, *beside)]
        cells += ["" if value is None else f"{value:.2f}" for value in ratios]
        lines.append((row.title, *cells, bound))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rows = [
        [first.ljust(widths[0]), *(c.rjust(w) for c, w in zip(rest, widths[1:], strict=True))]
        for first, *rest in lines
    ]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (rows[0], rule, *rows[1:]))


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f}"


def machine() -> dict[str, str]:
    """What the figures depend on."""
    cpus = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "date": time.strftime("%Y-%m-%d"),
        "processors": f"{len(os.sched_getaffinity(0))} x {cpus[0] if cpus else platform.machine()}",
        "load before": f"{os.getloadavg()[0]:.1f}",
        "Linux": platform.release(),
        "Python": platform.python_version(),
        **{name: version(name) for name in ("modulehost", "gunicorn", "Flask")},
    }


def main() -> int:
    """Measure and print; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds: a first look")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the values of each round")
    names = [measure.visit.__name__ for measure in MEASURES]
    parser.add_argument("--only", metavar="MEASURE", choices=names, help=f"of {', '.join(names)}")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are ended, too
    about = machine()
    try:
        results = measure(given.quick, given.only)
    except (BenchError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print("; ".join(f"{name}: {value}" for name, value in about.items()))
    print(f"\n{table(results)}")
    if given.json:
        given.json.write_text(json.dumps({"machine": about, "results": results}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
