"""The command ``modulehost``, but for the host itself."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

from support import site

HOOKS = """
    @hookimpl
    def install(self): ...
    @hookimpl
    def uninstall(self): ...
    @hookimpl
    def sleep(self): ...
    @hookimpl
    def resume(self): ...
"""
"""All that a manager must have."""


def run(
    *arguments: str, timeout: float = 30, **settings: object
) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, with these settings and no others."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("MODULE", "PORT"))}
    return subprocess.run(
        [sys.executable, "-m", "modulehost", *arguments],
        env=inherited | {"COLUMNS": "100"} | {k: str(v) for k, v in settings.items()},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def mistake(*arguments: str) -> str:
    """What is said of arguments that mean nothing: the last line, with exit status 2."""
    result = run(*arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert "Traceback" not in result.stderr
    return result.stderr.splitlines()[-1]


def add(folder: Path, name: str, source: str) -> None:
    """Install a plugin with this source into a folder for PYTHONPATH."""
    (folder / f"{name}.py").write_text(textwrap.dedent(source))
    site.write_metadata(folder, f"test-{name}", name, name)
