"""Modules that make things, for the tests of crash points: how each is served, and what is left."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from support import site
from support.host import Host
from support.venv import ROOT

SHELL = ROOT / "plugins/command/examples/shell"


class World(NamedTuple):
    """A plugin that is served in a folder, and what it has made."""

    serve: Callable[[Path, dict[str, Any]], Host]
    things: Callable[[Path], dict[str, str]]
    """What there is by path, with its content; empty when nothing is."""


def _files(folder: Path) -> dict[str, str]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_text(errors="replace") for path in found}


def _example(folder: Path, settings: dict[str, Any]) -> Host:
    return Host(folder, MODULE_PLUGIN="example", **settings)


def _command(folder: Path, settings: dict[str, Any]) -> Host:
    (folder / "tmp").mkdir()
    return Host(
        folder, MODULE_PLUGIN="command", COMMAND_DIR=SHELL, TMPDIR=folder / "tmp", **settings
    )


def _command_things(folder: Path) -> dict[str, str]:
    """The shards; packed they are the same. And what is left of the files of the exchange."""
    return {
        str(path.relative_to(folder / "tmp")): ""
        for path in sorted((folder / "tmp").rglob("*"))
        if path != folder / "tmp/modulehost-shell"
    }


def _scaffold(folder: Path, settings: dict[str, Any]) -> Host:
    new = [sys.executable, "-m", "modulehost", "new", "greetings", "--path", str(folder / "site")]
    subprocess.run(new, check=True, capture_output=True)
    site.write_metadata(folder / "site", "greetings", "greetings", "greetings")
    config = {"copies": 2, "folder": str(folder / "things/greetings")}
    return Host(folder, config=config, MODULE_PLUGIN="greetings", **settings)


def _scaffold_things(folder: Path) -> dict[str, str]:
    things = folder / "things"
    left = {str(path): "" for path in things.glob("*")}
    return _files(things) or left


WORLDS = {
    "example": World(_example, lambda folder: _files(folder / "example")),
    "command": World(_command, _command_things),
    "scaffold": World(_scaffold, _scaffold_things),
}
