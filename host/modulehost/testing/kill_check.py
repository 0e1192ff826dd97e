"""The check that kills: whatever an operation has made by then, uninstall removes."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import msgspec

from modulehost.testing.kills import LIFE, Kill, Report
from modulehost.testing.server import ModuleServer
from modulehost.testing.target import Broken, PluginTarget, Skipped, end_group

Leftovers = Callable[[dict[str, Any]], Iterable[object]]
"""What a plugin has made and not removed: it is given the config, with its defaults."""

MOST: Final = 8
"""Notes of an operation at which it is killed; of more, the first ones and the last."""


def killed(target: PluginTarget) -> None:
    """Kill each operation before and after each of its notes, and uninstall."""
    target.require_install()
    whole = _live(target, None)
    if whole.problem:
        raise Skipped(whole.problem)
    if there := _left(target, whole, whole):
        raise Broken(f"after a whole life there is still {_list(there)}")
    for operation in LIFE:
        count = whole.notes[operation]
        for note in (*range(1, min(count, MOST)), count):
            for is_kept in (False, True):
                report = _live(target, Kill(operation, note, is_kept))
                how = _describe(operation, note, count, is_kept)
                if report.problem:
                    raise Broken(f"{how}; uninstall then fails: {report.problem}")
                if there := _left(target, whole, report):
                    raise Broken(
                        f"{how}; uninstall then leaves behind {_list(there)}: note what you are"
                        " about to make before you make it: with ctx.creating(), or in the"
                        " metadata, and ctx.checkpoint()"
                    )


def named(text: str) -> Leftovers:
    """The function that ``MODULE:FUNCTION`` names; raises ValueError with what is wrong."""
    module, _, function = text.partition(":")
    if not (module and function):
        raise ValueError(f"{text} names no function: it takes MODULE:FUNCTION")
    try:
        found = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{text} cannot be used: {error}") from None
    if not callable(found):
        raise ValueError(f"{text} is no function")
    leftovers: Leftovers = found
    return leftovers


def _left(target: PluginTarget, whole: Report, last: Report) -> list[str]:
    """What the plugin's own ``leftovers`` says, if there is one, and what is in the ledger."""
    found = () if target.leftovers is None else target.leftovers(whole.config)
    return [*map(str, found), *(f"{thing} in the ledger" for thing in last.left)]


def _live(target: PluginTarget, kill: Kill | None) -> Report:
    """Have a process live, and be killed."""
    folder = target.folder / "kills"
    folder.mkdir(parents=True, exist_ok=True)
    report = folder / "report"
    report.unlink(missing_ok=True)
    environ = ModuleServer(folder, target.found.name, target.config, **target.settings).environ
    argv = [sys.executable, "-P", "-m", "modulehost.testing.kills"]
    argv += [str(os.getpid()), str(report), str(folder / "life"), json.dumps(target.config)]
    argv += [msgspec.json.encode(kill).decode(), *target.found]
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            argv, env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
        try:
            process.wait(target.timeout)
        except subprocess.TimeoutExpired:
            raise Broken(f"a life is not over after {target.timeout:g} s") from None
        finally:
            end_group(process)
    return _read(report, folder / "output")


def _read(report: Path, output: Path) -> Report:
    try:
        return msgspec.json.decode(report.read_bytes(), type=Report)
    except (OSError, ValueError):
        text = output.read_text(errors="replace").strip()
        last = text.splitlines()[-1] if text else "it said nothing"
        raise Broken(f"the plugin's process died by itself: {last}") from None


def _describe(operation: str, note: int, count: int, is_kept: bool) -> str:
    when = "right after" if is_kept else "right before"
    what = "the metadata at its end" if note == count else f"its checkpoint {note} of {count - 1}"
    return f"{operation} was killed {when} {what} was kept"


def _list(things: list[str]) -> str:
    shown = ", ".join(things[:5])
    return f"{shown} and {len(things) - 5} more" if len(things) > 5 else shown
