"""The subcommands of ``modulehost local`` that only look."""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

from modulehost.cli.local_report import ago, phase_of, show_log, show_module
from modulehost.cli.said import note
from modulehost.cli.terminal import Cell, Screen
from modulehost.local import lines, pod
from modulehost.local.documents import Module
from modulehost.local.errors import RefusedError
from modulehost.local.state import State
from modulehost.local.store import Store


def list_all(given: argparse.Namespace) -> int:
    """Print a table of the Modules, or their names alone."""
    store = Store()
    if given.names:
        print("".join(f"{name}\n" for name in store.names()), end="")
        return 0
    rows: list[tuple[Cell, ...]] = []
    for name in store.names():
        try:
            _, state = store.find(name)
        except RefusedError as error:
            rows.append((name, ("unknown", "bold red"), "", "", "", str(error)))
            continue
        since = ago(time.time() - state.since)
        rows.append((name, phase_of(state), since, state.plugin, _host(state), state.message))
    if not rows:
        note(f"there are no Modules in {store.folder}: modulehost local apply -f FILE")
        return 0
    Screen().table(("NAME", "PHASE", "FOR", "PLUGIN", "HOST", "MESSAGE"), rows)
    return 0


def _host(state: State) -> str:
    if state.pod is None:
        return "none"
    return f"port {state.pod.port}" if pod.is_alive(state.pod) else "has ended"


def describe(given: argparse.Namespace) -> int:
    """Print all there is to know of a Module."""
    home, state = Store().find(given.module)
    if given.json:
        print(json.dumps(state.as_object(), indent=2, ensure_ascii=False))
        return 0
    module, manager = Module(state.document), state.manager
    config = home.config / "config.json"
    host = "none"
    if state.pod is not None:
        is_alive = pod.is_alive(state.pod)
        host = f"process {state.pod.pid} " + (
            f"on port {state.pod.port}" if is_alive else "has ended: calls fail from now on"
        )
    show_module(
        Screen(),
        state,
        {
            "Name": module.name,
            "Namespace": module.namespace,
            "Phase": f"{state.phase}, for {ago(time.time() - state.since)}"
            + (", deleted" if state.is_deleted else ""),
            "Message": state.message,
            "Workspace": module.workspace,
            "Image": f"{module.image}, in its place the plugin {state.plugin}",
            "Host": host,
            "Pod": manager.get("runnerPodName", ""),
            "Service": manager.get("runnerServiceName", ""),
            "Config": str(config) if config.exists() else "none, for it has had no host",
            "Log": f"modulehost local logs {module.name}",
        },
    )
    return 0


def logs(given: argparse.Namespace) -> int:
    """Print the log of a Module's host."""
    home, state = Store().find(given.module)
    screen = Screen()

    def show(line: dict[str, Any]) -> None:
        if given.json:
            print(json.dumps(line, ensure_ascii=False), flush=True)
        else:
            show_log(screen, line)

    try:
        text = home.log.read_bytes()
    except OSError:
        note(f"{given.module} has no log: it has had no host")
        return 1
    for line in text.splitlines():
        show(lines.parse(line))
    if given.follow and state.pod is not None:
        with lines.Tail(home.log, show):
            while pod.is_alive(state.pod):
                time.sleep(0.2)
    return 0
