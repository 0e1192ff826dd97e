"""What is measured. A visit starts one server, takes its figures, and ends it."""

from __future__ import annotations

import contextlib
import functools
import os
import random
import select
import shutil
import signal
import time
from collections.abc import Callable
from typing import NamedTuple

from client import (
    HEALTH,
    Connection,
    flat,
    install,
    life_times,
    milliseconds,
    nested,
    quantile,
    times,
)
from procfs import memory
from servers import BARE, BUILD, FUNCTION, GO, HERE, OURS, BenchError, Process, Server, in_python

Values = dict[str, float]

SIZES = {"1 KiB": 1 << 10, "64 KiB": 64 << 10, "240 KiB": 240 << 10, "1 MiB": 1 << 20}
SHAPES = {
    "life of 1 KiB": flat(1 << 10),
    "life of 240 KiB": flat(240 << 10),
    "nested life of 64 KiB": nested(64 << 10),
    "nested life of 240 KiB": nested(240 << 10),
}
OTHERS = 200  # plugins
BURN = 1.5  # s
SETTLE = 0.2  # s, before memory is looked at
CROWDS, MANY = (1, 50), 200  # hosts on one machine
AT_ONCE = 10  # of them are started together
PATIENCE = 2.0  # s, for each of them that is called at once


def life(server: Server) -> Values:
    """Start, memory awake and asleep, waking; and another start with an /install sent at once."""
    values = {}
    with Process(server.given(MODULE_IDLE="1")) as process:
        with process.connect() as connection:
            values["listening"] = milliseconds(process.began)
            if connection.ask(HEALTH) != 200:
                process.answers(200)
            values["first 200"] = milliseconds(process.began)
            values["processor time"] = process.processor_time * 1e3
            for _ in range(10):
                connection.ask(HEALTH)
                connection.ask(install(1 << 10))
            time.sleep(SETTLE)
            values["awake"] = process.memory  # an open connection keeps ours awake
        if server.name == OURS:
            values["asleep"] = _asleep(process)
            began = time.perf_counter()
            process.answers(200)
            values["waking"] = milliseconds(began)
    with Process(server) as process:
        process.answers(201, install)
        values["installed"] = milliseconds(process.began)
    if server.name == OURS:
        with Process(in_python().given(MODULE_IDLE="1")) as process:
            with process.connect():
                values["listening in Python"] = milliseconds(process.began)
            process.answers(200)
            values["asleep in Python"] = _asleep(process)
    return values


def _asleep(process: Process) -> float:
    """MiB, once it sleeps."""
    process.sleeps()
    time.sleep(SETTLE)
    return process.memory


def density(server: Server) -> Values:
    """Many hosts asleep: the memory of all; then all are called at once, and all must answer."""
    values = {}
    for count in (*CROWDS, MANY):
        with contextlib.ExitStack() as stack:
            hosts: list[Process] = []
            for _ in range(count):
                hosts.append(stack.enter_context(Process(server.given(MODULE_IDLE="1"))))
                if len(hosts) % AT_ONCE == 0 or len(hosts) == count:
                    for host in hosts[-AT_ONCE:]:
                        host.answers(200)
                    for host in hosts[-AT_ONCE:]:
                        host.sleeps()
            time.sleep(SETTLE)
            whole = memory([pid for host in hosts for pid in host.pids])
            values[f"{count} asleep"] = whole / count
            values[f"{count} woken"] = _last_answer(hosts) / count
    return values


def _last_answer(hosts: list[Process]) -> float:
    """The ms until the last of them has answered, all being called at once; each must."""
    began = time.perf_counter()
    with contextlib.ExitStack() as stack:
        connections = [
            stack.enter_context(Connection(host.port, len(hosts) * PATIENCE)) for host in hosts
        ]
        for connection in connections:
            connection.send(install())  # which waits for its plugin, however busy the machine is
        for connection in connections:
            if (status := connection.receive()) != 201:
                raise BenchError(f"{OURS}: one of {len(hosts)} answered {status}")
        return milliseconds(began)


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


def lives(server: Server) -> Values:
    """Calls as the operator makes them, of a hook of one assignment, by the size and the shape."""
    if server.name == OURS:
        server = server.given(
            PYTHONPATH=_folder("assigner", "assigner:Manager"), MODULE_PLUGIN="assigner"
        )
    with Process(server) as process:
        process.answers(201, install)
        life_times(process.port, flat(1 << 10), 0.2)
        values = {}
        for name, body in SHAPES.items():
            values[name] = quantile(life_times(process.port, body, 0.4), 0.5)
        spaced = life_times(process.port, SHAPES["life of 1 KiB"], 1.0, pause=0.05)
        values["spaced"] = quantile(spaced, 0.5)
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
    """A visit, how many rounds of it, and to which servers."""

    visit: Callable[[Server], Values]
    rounds: int
    quick: int
    servers: tuple[str, ...] = (OURS, BARE, FUNCTION)


MEASURES = (
    Measure(life, 6, 3, (OURS, BARE, FUNCTION, GO)),
    Measure(latency, 6, 3),
    Measure(lives, 6, 3),
    Measure(burning, 3, 1),
    Measure(crowded, 7, 3, (OURS,)),
    Measure(recovery, 4, 1),
    Measure(density, 1, 0, (OURS,)),
)
