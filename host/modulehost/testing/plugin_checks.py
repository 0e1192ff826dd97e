"""The checks of a plugin: what an author must see to, behind real hosts."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from typing import Any, Final

from modulehost.shared.records import OperationName
from modulehost.shared.settings import Settings
from modulehost.testing.operator import go_json, read_go_json
from modulehost.testing.server import ModuleServer
from modulehost.testing.target import Broken, Cuts, Life, PluginTarget, Skipped
from modulehost.testing.wire import WireError

SHORTEST: Final = 0.5
"""Seconds that an install must take for a deadline to meet it."""

_LIFE: Final[tuple[OperationName, ...]] = ("install", "sleep", "resume", "uninstall")


def loads(target: PluginTarget) -> None:
    ends = time.monotonic() + target.server.timeout
    while time.monotonic() < ends:
        for line in target.logs:
            if line["event"] == "plugin loaded":
                return
            if line["event"] == "the plugin cannot be used":
                target.refusal = "the plugin cannot be loaded"
                raise Broken(str(line["reason"]))
        time.sleep(0.01)
    raise Broken(f"it did not load within {target.server.timeout:g} s; make its import faster")


def uninstall_fresh(target: PluginTarget) -> None:
    with target.fresh() as (fresh, server):
        answer = Life(fresh.server, {}).call("uninstall")
        if answer.status != 204:
            raise Broken(
                f"it is answered {answer.reason}; be content when the metadata names nothing"
            )
        if any(line["event"] == "uninstall with nothing to clean up" for line in server.logs):
            raise Skipped("the plugin was not called: see loads and install")


def uninstall_asleep(target: PluginTarget) -> None:
    with target.installed() as life:
        life.must("sleep")
        answer = life.call("uninstall")
        if answer.status != 204:
            raise Broken(f"uninstall of a module that is asleep is answered {answer.reason}")


def install_twice(target: PluginTarget) -> None:
    _twice(target, "install")


def sleep_twice(target: PluginTarget) -> None:
    _twice(target, "install", "sleep")


def resume_twice(target: PluginTarget) -> None:
    _twice(target, "install", "sleep", "resume")


def uninstall_twice(target: PluginTarget) -> None:
    _twice(target, "install", "uninstall")


def sleep_resume(target: PluginTarget) -> None:
    with target.installed() as life:
        before, was_well = life.metadata, life.server.get("/health")
        for round_ in ("", " for the second time"):
            for operation in _LIFE[1:3]:
                answer = life.call(operation)
                if not answer.succeeded:
                    raise Broken(f"{operation}{round_} is answered {answer.reason}")
        if lost := before.keys() - life.metadata.keys():
            raise Broken(f"the metadata has lost {_names(lost)}")
        is_well = life.server.get("/health")
        if was_well.status == 200 and is_well.status != 200:
            raise Broken(f"the module was healthy before, and is not after: {is_well.reason}")


def health_awake(target: PluginTarget) -> None:
    with target.installed() as life:
        answer = life.server.get("/health")
        if answer.status != 200:
            raise Broken(f"GET /health of an installed module is answered {answer.reason}")


def cut_install(target: PluginTarget) -> None:
    cuts = _cuts(target)
    if not cuts.cuts:
        raise Skipped("install never looks whether it was cancelled")
    for cut in cuts.cuts:
        if cut.uninstall:
            raise Broken(
                f"install was cancelled when it looked for the {_nth(cut.look)} time; uninstall"
                f" then fails: {cut.uninstall}"
            )


def cancellation(target: PluginTarget) -> None:
    target.require_install()
    if target.cuts.broken:
        raise Broken(target.cuts.broken)
    cuts = _cuts(target)
    grace = _settings(target).grace
    if not cuts.cuts and cuts.seconds > grace:
        raise Broken(
            f"install takes {cuts.seconds:.1f} s and never looks whether it was cancelled; use"
            " ctx.wait, ctx.run and ctx.raise_if_cancelled"
        )
    for cut in cuts.cuts:
        if cut.seconds > grace:
            raise Broken(
                f"install went on for {cut.seconds:.1f} s after it was cancelled when it looked"
                f" for the {_nth(cut.look)} time; the grace is {grace:g} s"
            )


def deadline(target: PluginTarget) -> None:
    seconds = _cuts(target).seconds
    if seconds < SHORTEST:
        raise Skipped(f"install takes {seconds:.2f} s: too short for a deadline to meet it")
    grace = _settings(target).grace
    with target.fresh(MODULE_DEADLINE=f"{seconds / 2:.3f}") as (fresh, server):
        _wait_for(server, "plugin loaded")
        life = Life(fresh.server, {})
        begun = time.monotonic()
        answer = life.call("install")
        took = time.monotonic() - begun
        uninstalled = life.call("uninstall")
    if answer.succeeded:
        return  # it was faster this time, or finished within the grace
    if took >= seconds / 2 + grace:
        raise Broken(
            f"install had to be killed {grace:g} s after its deadline; use ctx.wait, ctx.run and"
            " ctx.raise_if_cancelled"
        )
    if not uninstalled.succeeded:
        raise Broken(
            f"after an install that its deadline ended, uninstall is answered {uninstalled.reason}"
        )


def metadata(target: PluginTarget) -> None:
    with _live(target) as life:
        for operation in _LIFE[:3]:
            before = life.metadata
            answer = life.call(operation)
            if not answer.succeeded:
                if f"{operation} left metadata" in answer.reason:
                    raise Broken(answer.reason)
                raise Skipped(f"{operation} fails: {answer.reason}")
            if before and read_go_json(answer.body) == {}:
                raise Broken(
                    f"{operation} empties the metadata, and the operator then keeps the old one;"
                    " leave a key in it"
                )
            if answer.json() != read_go_json(answer.body):
                raise Broken(f"what {operation} leaves is not the same once Go has read it")


def output(target: PluginTarget) -> None:
    target.require_install()
    with target.fresh() as (fresh, server):
        life = Life(fresh.server, {})
        for operation in _LIFE:
            answer = life.must(operation)
            lines = answer.body.decode(errors="replace").splitlines()
            if operation != "uninstall" and (len(lines) != 1 or not _is_object(lines[0])):
                raise Broken(f"the answer to {operation} holds more than metadata")
        reasons = [str(line.get("reason", "")) for line in server.logs]
        if any("closed its connection" in reason for reason in reasons):
            raise Broken("the plugin closes what belongs to the host")
        if sum(line["event"] == "plugin loaded" for line in server.logs) > 1:
            raise Broken("the plugin's process did not last from one operation to the next")


def config_defaults(target: PluginTarget) -> None:
    required = _cuts(target).required
    config = {key: value for key, value in target.config.items() if key in required}
    with target.fresh(config) as (fresh, _):
        life = Life(fresh.server, {})
        try:
            for operation in _LIFE:
                answer = life.call(operation)
                if not answer.succeeded:
                    given = f"with {_names(config)} alone" if config else "with no config at all"
                    raise Broken(f"{operation} {given} is answered {answer.reason}")
        finally:
            life.call("uninstall")


@contextlib.contextmanager
def _live(target: PluginTarget) -> Iterator[Life]:
    """A life that the check itself goes through; uninstalled at the end."""
    target.require_install()
    life = Life(target.server, {})
    try:
        yield life
    finally:
        with contextlib.suppress(WireError):
            life.call("uninstall")


def _twice(target: PluginTarget, *operations: OperationName) -> None:
    """The last one twice, each sent what the operator has stored."""
    *before, operation = operations
    with _live(target) as life:
        for earlier in before:
            life.must(earlier)
        life.must(operation)
        first = life.metadata
        answer = life.call(operation)
        if not answer.succeeded:
            raise Broken(f"the second {operation} is answered {answer.reason}")
        if go_json(first) != go_json(life.metadata):
            keys = {*first, *life.metadata}
            changed = {key for key in keys if first.get(key) != life.metadata.get(key)}
            raise Broken(f"the second {operation} changes {_names(changed)} in the metadata")


def _cuts(target: PluginTarget) -> Cuts:
    target.require_install()
    cuts = target.cuts
    if cuts.broken:
        raise Skipped("see cancellation")
    if cuts.problem:
        raise Skipped(f"install fails: {cuts.problem}")
    return cuts


def _settings(target: PluginTarget) -> Settings:
    return Settings.good_from_env(target.environ)


def _wait_for(server: ModuleServer, event: str) -> None:
    ends = time.monotonic() + 30
    while time.monotonic() < ends and not any(line["event"] == event for line in server.logs):
        time.sleep(0.01)


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _names(keys: Any) -> str:
    return ", ".join(sorted(keys)) or "nothing"


def _nth(number: int) -> str:
    return {1: "first", 2: "second", 3: "third"}.get(number, f"{number}th")
