"""What the subcommands of ``modulehost local`` do, and print of it."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from modulehost.cli.local_look import describe, list_all, logs
from modulehost.cli.local_report import Reporter
from modulehost.cli.said import fail, note
from modulehost.cli.terminal import Screen
from modulehost.local import documents, pod, reading, rules
from modulehost.local.choice import choose
from modulehost.local.documents import Module
from modulehost.local.errors import RefusedError
from modulehost.local.life import Life, may_change
from modulehost.local.store import MOVING, Home, State, Store
from modulehost.plugin import discovery


def run(given: argparse.Namespace) -> int:
    """Do what the subcommand says; a refusal is one line."""
    try:
        status: int = _DO[given.local](given)
    except RefusedError as error:
        return fail(str(error), 2)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # else the interpreter complains at its end
        return 1
    return status


def given_modules(given: argparse.Namespace) -> list[Module]:
    """The Modules of the file, each with what its author should know. Raises RefusedError."""
    path = "standard input" if given.file == "-" else given.file
    try:
        text = sys.stdin.buffer.read() if given.file == "-" else Path(given.file).read_bytes()
    except OSError as error:
        raise RefusedError(
            f"{path} cannot be read: {error.strerror}; modulehost definition PLUGIN > {path} makes"
            " one"
        ) from None
    found = reading.read(path, text)
    if given.config and (len(found) > 1 or found[0]["kind"] != "Custom"):
        raise RefusedError(
            f"--config is for a definition (kind: Custom); a Module has its values in {path}, under"
            " spec.config"
        )
    modules = []
    for document in found:
        if document["kind"] == "Custom":
            values = documents.typed(path, document, dict(given.config))
            document = documents.wrap(path, document, values)
        modules.append(documents.module_of(path, document))
    return modules


def new_state(module: Module, given: argparse.Namespace) -> State:
    """A Module as it begins, with the plugin that is served for it. Raises RefusedError."""
    wanted = os.environ.get("MODULE_PLUGIN", "").strip()
    plugin = choose(discovery.find(), module.image, given.plugin, wanted)
    if given.kubeconfig is not None:
        if "workspace" not in module.permissions:
            raise RefusedError(
                f"--kubeconfig: {module.name} has not the permission workspace, so the operator"
                " gives it none; add it to the Module's permissions"
            )
        if not given.kubeconfig.is_file():
            raise RefusedError(f"--kubeconfig: there is no file {given.kubeconfig}")
    elif "workspace" in module.permissions:
        note(
            f"{module.name} has the permission workspace, but there is no kubeconfig: give one"
            " with --kubeconfig FILE"
        )
    for words in rules.notes(module.items, module.values or {}):
        note(f"{module.name}: {words}")
    return State(document=module.document, plugin=plugin.name, since=time.time())


def _apply(given: argparse.Namespace) -> int:
    store = Store()
    status = 0
    for module in given_modules(given):
        store.prepare()
        home = store.home(module.name)
        with home.alone():
            state = home.read()
            if state is None:
                state = new_state(module, given)
                state.stuck_after = given.stuck_after
                status |= _begin(Life(home, state, given.kubeconfig))
            else:
                status |= _change(home, state, module)
    return status


def _begin(life: Life) -> int:
    reporter = Reporter(Screen(), life)
    if reporter.do("install") and life.module.hibernated:
        reporter.do("sleep")
    return reporter.status


def _change(home: Home, state: State, module: Module) -> int:
    if state.phase == "deleted":
        raise RefusedError(
            f"{home.name}: the host of the one before is left behind, since its uninstall failed:"
            f" modulehost local delete --force {home.name} removes it"
        )
    life = Life(home, state)
    may_change(life.module, module)
    screen = Screen()
    if state.document == module.document:
        screen.line(f"{home.name} unchanged, {state.phase}")
        return 0
    state.document = module.document
    home.write(state)
    screen.line(f"{home.name} configured")
    return _reconcile(Life(home, state))


def _reconcile(life: Life) -> int:
    """Put the module to sleep or wake it up, when that is wanted."""
    reporter = Reporter(Screen(), life)
    if life.state.phase == "ready" and life.module.hibernated:
        reporter.do("sleep")
    elif life.state.phase == "sleeped" and not life.module.hibernated:
        reporter.do("resume")
    return reporter.status


def _hibernate(given: argparse.Namespace) -> int:
    return _set_hibernated(given.name, True)


def _resume(given: argparse.Namespace) -> int:
    return _set_hibernated(given.name, False)


def _set_hibernated(name: str, is_wanted: bool) -> int:
    with Store().hold(name) as (home, state):
        if state.phase in ("failed", "deleted"):
            return fail(
                f"{name} is {state.phase}, and nothing but deletion is left:"
                f" modulehost local delete {'--force ' * (state.phase == 'deleted')}{name}"
            )
        if state.phase in MOVING:
            return fail(
                f"{name} is {state.phase}: the operator leaves it alone until that is over;"
                f" {_when_stuck(state)}"
            )
        if (state.phase == "sleeped") == is_wanted:
            Screen().line(f"{name} unchanged, {state.phase}")
            return 0
        state.document["spec"]["hibernated"] = is_wanted
        return _reconcile(Life(home, state))


def _when_stuck(state: State) -> str:
    left = state.since + state.stuck_after - time.time()
    return f"it is failed in {left:.0f} s if nothing comes of it"


def _delete(given: argparse.Namespace) -> int:
    name = given.name
    with Store().hold(name) as (home, state):
        life = Life(home, state)
        if given.force:
            life.forget()
            Screen().line(f"{name} forgotten; uninstall was not called")
            return 0
        if state.phase == "deleted":
            return fail(f"{name} is deleted, but its host is not: {_what_is_left(home, state)}")
        if state.phase in MOVING:
            return fail(
                f"{name} is {state.phase}: deleted now it would hang; {_when_stuck(state)}. Delete"
                f" it then, or forget it with modulehost local delete --force {name}"
            )
        reporter = Reporter(Screen(), life)
        if not reporter.do("uninstall") and state.pod is not None:
            return fail(
                f"the Module {name} is gone all the same, but its host is not, as in a cluster:"
                f" {_what_is_left(home, state)}"
            )
        life.forget()
        return reporter.status


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
    from modulehost.cli.local_run import live

    store = Store()
    modules = given_modules(given)
    store.prepare()
    for module in modules:
        home = store.home_of_run(module.name)
        with home.alone():
            if status := live(home, new_state(module, given), given.kubeconfig):
                return status
    return 0


_DO: dict[str, Callable[[argparse.Namespace], int]] = {
    "apply": _apply,
    "list": list_all,
    "describe": describe,
    "hibernate": _hibernate,
    "resume": _resume,
    "delete": _delete,
    "logs": logs,
    "run": _run,
}
