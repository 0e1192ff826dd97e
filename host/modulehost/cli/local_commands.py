"""What the subcommands of ``modulehost local`` do, and print of it."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

from modulehost.cli import local_files as files
from modulehost.cli.local_look import describe, list_all, logs
from modulehost.cli.local_report import Reporter
from modulehost.cli.said import fail, note
from modulehost.cli.terminal import Screen
from modulehost.front.reload import EVERY, look
from modulehost.local import pod
from modulehost.local.admission import annotations_of, may_change, merged
from modulehost.local.documents import Module, Taken
from modulehost.local.errors import RefusedError
from modulehost.local.life import Life
from modulehost.local.state import MOVING, State
from modulehost.local.store import Home, Store
from modulehost.plugin import discovery


def run(given: argparse.Namespace) -> int:
    """Do what the subcommand says; a refusal is one line."""
    try:
        if getattr(given, "env_file", None) is not None:
            os.environ.update(files.read_environ(given.env_file))
        status: int = _DO[given.local](given)
    except RefusedError as error:
        return fail(str(error), 2)
    return status


def _apply(given: argparse.Namespace) -> int:
    store = Store()
    status = 0
    for asked in files.asked(given):
        module = asked.module
        store.prepare()
        home = store.home(module.name)
        with home.alone():
            state = home.read()
            if state is None:
                state = files.new_state(asked, given)
                state.stuck_after = given.stuck_after
                status |= _begin(home, state)
            else:
                status |= _change(home, state, asked)
    return status


def _begin(home: Home, state: State) -> int:
    with Life(home, state) as life:
        reporter = Reporter(Screen(), life)
        if reporter.do("install") and life.module.is_hibernated:
            reporter.do("sleep")
    return reporter.status


def _change(home: Home, state: State, asked: Taken) -> int:
    old = Module(state.document)
    new = merged(state.document, state.annotations, asked)
    if state.phase == "deleted":
        raise RefusedError(
            f"{home.name}: the host of the one before is left behind, since its uninstall failed:"
            f" modulehost local delete --force {home.name} removes it"
        )
    if new.namespace != old.namespace:
        raise RefusedError(
            f"{home.name} is there already, in the namespace {old.namespace}: a folder holds one"
            " Module of a name"
        )
    if state.has_webhooks:
        may_change(old, new)
    screen = Screen()
    if state.document == new.document:
        screen.line(f"{home.name} unchanged, {state.phase}")
        return 0
    state.document = new.document
    state.annotations |= annotations_of(new, asked.given)
    home.write(state)
    screen.line(f"{home.name} configured")
    return _reconcile(home, state)


def _reconcile(home: Home, state: State) -> int:
    """Do what is wanted of a module, and the operator does of itself."""
    with Life(home, state) as life:
        reporter = Reporter(Screen(), life)
        if state.is_deleted:
            return _uninstall(life, reporter)
        if state.phase == "ready" and life.module.is_hibernated:
            reporter.do("sleep")
        elif state.phase == "sleeped" and not life.module.is_hibernated:
            reporter.do("resume")
    return reporter.status


def _hibernate(given: argparse.Namespace) -> int:
    if given.workspace is None:
        return _set_hibernated(given.module, True)
    names = _of_workspace(given.workspace)
    return max([_set_hibernated(name, True) for name in names])


def _resume(given: argparse.Namespace) -> int:
    if given.workspace is None:
        return _set_hibernated(given.module, False)
    for name in _of_workspace(given.workspace):
        _, state = Store().find(name)
        Screen().line(f"{name} unchanged, {state.phase}")
        if state.phase == "sleeped":
            note(
                f"a workspace that wakes up wakes no Module: modulehost local resume {name}; in a"
                f" cluster: kubectl patch module {name} --type=merge -p"
                ' \'{"spec":{"hibernated":false}}\''
            )
    return 0


def _of_workspace(name: str) -> list[str]:
    """The names of a workspace's Modules. Raises RefusedError."""
    modules = [Module(state.document) for state in Store().states()]
    found = [module.name for module in modules if name in (module.workspace, module.workspace_name)]
    if not found:
        there = ", ".join(sorted({module.workspace_name for module in modules})) or "none"
        raise RefusedError(f"no Module is of the workspace {name}; there are {there}")
    return found


def _set_hibernated(name: str, is_wanted: bool) -> int:
    with Store().hold(name) as (home, state):
        if state.phase in ("failed", "deleted"):
            return fail(
                f"{name} is {state.phase}, and nothing but deletion is left:"
                f" modulehost local delete {'--force ' * (state.phase == 'deleted')}{name}"
            )
        if state.is_deleted:
            return _hangs(name, state)
        if state.phase in MOVING:
            return fail(
                f"{name} is {state.phase}: the operator leaves it alone until that is over;"
                f" it is failed in {_seconds_left(state):.0f} s if nothing comes of it"
            )
        state.document["spec"]["hibernated"] = is_wanted
        if (state.phase == "sleeped") == is_wanted:
            home.write(state)
            Screen().line(f"{name} unchanged, {state.phase}")
            return 0
        return _reconcile(home, state)


def _seconds_left(state: State) -> float:
    return state.since + state.stuck_after - time.time()


def _hangs(name: str, state: State) -> int:
    return fail(
        f"{name} is deleted in the phase {state.phase}, and hangs, for the operator leaves it alone"
        f" for ever: modulehost local fail {name}; in a cluster: kubectl patch module {name}"
        ' --subresource=status --type=merge -p \'{"status":{"phase":"failed"}}\''
    )


def _fail(given: argparse.Namespace) -> int:
    with Store().hold(given.module) as (home, state):
        if state.phase == "deleted":
            return _has_left(home, state)
        Life(home, state).fail()
        Screen().line(f"{given.module} failed")
        return _reconcile(home, state)


def _delete(given: argparse.Namespace) -> int:
    name = given.module
    with Store().hold(name) as (home, state), Life(home, state) as life:
        if given.force:
            life.forget()
            Screen().line(f"{name} forgotten; uninstall was not called")
            return 0
        if state.phase == "deleted":
            return _has_left(home, state)
        if state.phase in MOVING:
            life.delete()
            return _hangs(name, state)
        return _uninstall(life, Reporter(Screen(), life))


def _uninstall(life: Life, reporter: Reporter) -> int:
    if not reporter.do("uninstall") and life.state.pod is not None:
        return fail(
            f"the Module {life.home.name} is gone all the same, but its host is not, as in a"
            f" cluster: {_what_is_left(life.home, life.state)}"
        )
    life.forget()
    return reporter.status


def _has_left(home: Home, state: State) -> int:
    return fail(f"{home.name} is deleted, but its host is not: {_what_is_left(home, state)}")


def _what_is_left(home: Home, state: State) -> str:
    name = home.name
    remove = f"remove it with modulehost local delete --force {name}"
    if state.pod is None or not pod.is_alive(state.pod):
        return f"it has ended, and what the plugin has made is still there; {remove}"
    return (
        f"process {state.pod.pid}, port {state.pod.port}, log: modulehost local logs {name}; call"
        f" uninstall again with MODULE_STATE_DIR={home.state} modulehost call uninstall --port"
        f" {state.pod.port}; {remove}"
    )


def _run(given: argparse.Namespace) -> int:
    if not given.watch:
        return _run_once(given)
    while True:
        before = _seen(given)
        try:
            if _run_once(given) == 130:
                return 130
        except RefusedError as error:
            note(str(error))
        note("again when something is saved; Ctrl-C ends it")
        while _seen(given) == before:
            time.sleep(EVERY)


def _seen(given: argparse.Namespace) -> list[object]:
    """What a change of changes: the installed plugins, or the one that is named, and the files."""
    named = given.plugin or os.environ.get("MODULE_PLUGIN", "").strip()
    names = [named] if named else [plugin.name for plugin in discovery.find()]
    files = [file for file in (given.file, given.values, given.env_file) if file]
    times = [os.stat(file).st_mtime_ns for file in files if os.path.exists(file)]  # noqa: PTH110, PTH116
    return [*map(look, names), times]


def _run_once(given: argparse.Namespace) -> int:
    from modulehost.cli.local_run import live

    store = Store()
    for asked in files.asked(given):
        store.prepare()
        home = store.home_of_run(asked.module.name)
        with home.alone():
            if status := live(home, files.new_state(asked, given)):
                return status
    return 0


_DO: dict[str, Callable[[argparse.Namespace], int]] = {
    "apply": _apply,
    "list": list_all,
    "describe": describe,
    "hibernate": _hibernate,
    "resume": _resume,
    "fail": _fail,
    "delete": _delete,
    "logs": logs,
    "run": _run,
}
