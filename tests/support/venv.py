"""Virtual environments away from the checkout, and hosts that run in them."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from support.host import Host

ROOT = Path(__file__).parents[2]
PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/setup.cfg"))
Once = Callable[[str, Callable[[Path], object]], Path]
"""Makes a folder for all workers: whichever comes first makes it."""

_NO_SOURCES = shutil.ignore_patterns("__pycache__", "*.egg-info", "build", ".*")


def build_wheels(folder: Path) -> list[Path]:
    """The wheels of the host and of all plugins, built from copies of their sources."""
    host = folder / "host-sources"
    host.mkdir()
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, host)
    shutil.copytree(ROOT / "host", host / "host", ignore=_NO_SOURCES)
    sources = [host]
    for plugin in PLUGINS:
        sources.append(folder / f"{plugin.name}-sources")
        shutil.copytree(plugin, sources[-1], ignore=_NO_SOURCES)
    wheels = folder / "wheels"
    pip("wheel", "--no-deps", "--wheel-dir", str(wheels), *map(str, sources))
    return sorted(wheels.iterdir())


def pip(*arguments: str, python: Path | None = None) -> None:
    """Run pip; an error of its own fails the test with what it said."""
    into = ("--python", str(python)) if python else ()
    result = subprocess.run(
        [sys.executable, "-m", "pip", *into, *arguments, "--quiet"],
        env=clean_environ(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr


def clean_environ() -> dict[str, str]:
    """The environment without what would lead back to the checkout or set up a host."""
    prefixes = ("MODULE", "GUNICORN", "PYTHON", "VIRTUAL_ENV", "PORT")
    return {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}


class Environment(NamedTuple):
    """A virtual environment."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> Environment:
        """A new, empty one."""
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        return cls(folder)

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def packages(self) -> Path:
        """Where pip installs into it."""
        return next(self.folder.glob("lib/python*/site-packages"))

    def install(self, *what: Path) -> None:
        """pip-install folders or wheels, what they need from the package index."""
        pip(
            "install",
            "--constraint",
            str(ROOT / "constraints.txt"),
            *map(str, what),
            python=self.python,
        )

    def beside(self, folder: Path) -> Environment:
        """A second one in which all of this one is installed too."""
        other = Environment.make(folder)
        (other.packages / "first.pth").write_text(f"{self.packages}\n")
        return other

    def run(
        self, *arguments: str, cwd: Path, **settings: object
    ) -> subprocess.CompletedProcess[str]:
        """Run its Python with these arguments."""
        return subprocess.run(
            [self.python, *arguments],
            cwd=cwd,
            env=clean_environ() | {k: str(v) for k, v in settings.items()},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @contextlib.contextmanager
    def host(self, folder: Path, *command: str, **settings: Any) -> Iterator[Host]:
        """A host of this environment with ``folder`` as its working directory."""
        folder.mkdir(parents=True, exist_ok=True)
        command = command or ("-m", "modulehost", "serve")
        host = Host(folder, command=command, python=self.python, **settings)
        host.environ = {k: v for k, v in host.environ.items() if not k.startswith("PYTHON")}
        with host:
            yield host
