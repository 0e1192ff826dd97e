"""One environment with the wheels in it, for all tests here and all workers."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from support.venv import Environment, Once, build_wheels

USED = ("modulehost-", "modulehost_example-")


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """Makes a folder for all workers: ``once(name, make)``; whichever comes first makes it."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def made(name: str, make: Callable[[Path], object]) -> Path:
        folder = base / name
        folder.mkdir(exist_ok=True)
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / "done").exists():
                make(folder)
                (folder / "done").touch()
        return folder

    return made


@pytest.fixture(scope="session")
def wheels(once: Once) -> list[Path]:
    """The wheels of the host and of the plugins."""

    def make(folder: Path) -> None:
        wheels = build_wheels(folder)
        used = [path for path in wheels if path.name.startswith(USED)]
        Environment.make(folder / "environment").install(*used)

    return sorted((once("packaging", make) / "wheels").iterdir())


@pytest.fixture(scope="session")
def installed(wheels: list[Path]) -> Environment:
    """A fresh environment in which nothing but host and example, and their needs, is installed."""
    return Environment(wheels[0].parents[1] / "environment")
