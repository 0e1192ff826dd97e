"""The command ``modulehost``, but for the host itself."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

from support import site


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


def add(folder: Path, name: str, source: str) -> None:
    """Install a plugin with this source into a folder for PYTHONPATH."""
    (folder / f"{name}.py").write_text(textwrap.dedent(source))
    site.write_metadata(folder, f"test-{name}", name, name)
