"""What is measured. A visit starts one server, takes its figures, and ends it."""

from __future__ import annotations

import functools
import os
import random
import select
import shutil
import signal
import time
from collections.abc import Callable
from typing import NamedTuple

from client import HEALTH, install, milliseconds, quantile, times
from servers import BUILD, HERE, OURS, BenchError, Process, Server

Values = dict[str, float]

SIZES = {"1 KiB": 1 << 10, "64 KiB": 64 << 10, "240 KiB": 240 << 10, "1 MiB": 1 << 20}
OTHERS = 200  # plugins
BURN = 1.5  # s
SETTLE = 0.2  # s, before memory is looked at


def life(server: Server) -> Values:
    """Start, memory awake and asleep, waking; and another start with an /install sent at once."""
    values = {}
    with Process(server.given(MODULE_IDLE="1")) as process:
        with process.connect() as connection:
            values["listening"] = milliseconds(process.began)
            if connection.ask(HEALTH) != 200:
                process.answers(200)
            values["first 200"] = milliseconds(process.began)
            for _ in range(10):
                connection.ask(HEALTH)
                connection.ask(install(1 << 10))
            time.sleep(SETTLE)
            values["awake"] = process.memory  # an open connection keeps ours awake
        if server.name == OURS:
            process.poll(lambda: len(process.pids) == 1, "sleep")
            time.sleep(SETTLE)
            values["asleep"] = process.memory
            began = time.perf_counter()
            process.answers(200)
            values["waking"] = milliseconds(began)
    with Process(server) as process:
        process.answers(201, install)
        values["installed"] = milliseconds(process.began)
    return values


def latency(server: Server) -> Values:
    """POST /install by the size of its body, and GET /health, on a kept connection."""
    with Process(server) as process:
        process.answers(201, install)
        times(process.port, functools.partial(install, 1 << 10), 201, 0.2)
        values = {}
        for name, size in SIZES.items():
            taken = times(process.port, functools.partial(install, size), 201, 0.25)
            values[name] = quantile(taken, 0.5)
        values["health"] = quantile(times(process.port, lambda: HEALTH, 200, 0.25), 0.5)
    return values


def burning(server: Server) -> Values:
    """The p99 of GET /health while nothing else goes on, then while an /install burns a core."""
    if server.name != OURS:
        return _burn(server)
    server = server.given(PYTHONPATH=_folder("burner", "burner:Manager", "watched:Watched"))
    values = _burn(server.given(MODULE_PLUGIN="burner"))
    watched = _burn(server.given(MODULE_PLUGIN="watched"))
    return {**values, "hook burning / idle": watched["burning / idle"]}


def _burn(server: Server) -> Values:
    with Process(server) as process:
        process.answers(201, install)
        times(process.port, lambda: HEALTH, 200, 0.2)
        idle = quantile(times(process.port, lambda: HEALTH, 200, 0.8), 0.99)
        with process.connect() as connection:
            connection.send(install(burn=BURN))
            time.sleep(0.1)
            busy = quantile(times(process.port, lambda: HEALTH, 200, BURN - 0.3), 0.99)
            if connection.receive() != 201:
                raise BenchError(f"{server.name}: its core did not burn")
    return {"idle": idle, "burning": busy, "burning / idle": busy / idle}


def crowded(server: Server) -> Values:
    """The first 200 beside no other plugins and beside many, which are found but not imported."""
    values = {}
    for others in random.sample((0, OTHERS), 2):
        folder = _folder(f"others_{others}", *(f"other_{n:03}:Manager" for n in range(others)))
        with Process(server.given(PYTHONPATH=folder)) as process:
            process.answers(200)
            values[f"{others} others"] = milliseconds(process.began)
    return {**values, "crowded / alone": values[f"{OTHERS} others"] / values["0 others"]}


def recovery(server: Server) -> Values:
    """From the kill -9 of a process to the next 200. Nothing restarts the first one of a peer."""
    values = {}
    with Process(server) as process:
        for role in ("runner", "front", "arbiter") if server.name == OURS else ("front",):
            process.answers(200)
            victim = os.pidfd_open(process.part(role))
            began = time.perf_counter()
            signal.pidfd_send_signal(victim, signal.SIGKILL)
            select.select([victim], [], [])  # until it has ended: it must not answer any more
            process.answers(200)
            values[f"{role} killed"] = milliseconds(began)
            os.close(victim)
    return values


@functools.cache
def _folder(name: str, *plugins: str) -> str:
    """A folder for PYTHONPATH with ``name.py``, if there is one, and packages with these plugins.

    A plugin is ``entry-point:object``, the object one of that module. Packages are what pip would
    write beside them.
    """
    folder = BUILD / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if (source := HERE / "peers" / f"{name}.py").exists():
        shutil.copy(source, folder)
    for plugin in plugins:
        entry, _, target = plugin.partition(":")
        info = folder / f"{entry}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {entry}\nVersion: 1.0\n")
        (info / "RECORD").write_text(f"{name}.py,,\n{info.name}/METADATA,,\n")
        (info / "entry_points.txt").write_text(
            f"[modulehost.managers]\n{entry} = {name}:{target}\n"
        )
    return str(folder)


class Measure(NamedTuple):
    """A visit, how many rounds of it, and whether to ours alone."""

    visit: Callable[[Server], Values]
    rounds: int
    quick: int
    ours_alone: bool = False


MEASURES = (
    Measure(life, 6, 3),
    Measure(latency, 6, 3),
    Measure(burning, 3, 1),
    Measure(crowded, 7, 3, ours_alone=True),
    Measure(recovery, 4, 1),
)
