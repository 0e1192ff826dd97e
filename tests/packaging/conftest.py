"""One environment with the wheels in it, for all tests here and all workers."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest
from support.venv import Environment, build_wheels

USED = ("modulehost-", "modulehost_example-")


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The wheels of the host and of the plugins; whichever worker comes first builds them."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "packaging"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            wheels = build_wheels(folder)
            used = [path for path in wheels if path.name.startswith(USED)]
            Environment.make(folder / "environment").install(*used)
            (folder / "done").touch()
    return sorted((folder / "wheels").iterdir())


@pytest.fixture(scope="session")
def installed(wheels: list[Path]) -> Environment:
    """A fresh environment in which nothing but host and example, and their needs, is installed."""
    return Environment(wheels[0].parents[1] / "environment")
