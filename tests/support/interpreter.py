"""Python code run in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import modulehost

SOURCE = str(Path(modulehost.__file__).parents[1])


def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the interpreter; what it prints is captured."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("MODULE", "GUNICORN"))}
    return subprocess.run(
        [sys.executable, *arguments],
        env={**inherited, **environ},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def evaluate(code: str, *options: str, **environ: str) -> Any:
    """Run the code; what it prints last is JSON."""
    done = run(*options, "-c", code, **environ)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def modules_after(code: str, *, bare: bool = False, **environ: str) -> set[str]:
    """The modules that the code imports beyond those that an interpreter starts with.

    ``bare`` leaves out the ``site`` module, which in an environment for development imports much.
    """
    lines = f"""
import sys
sys.path.insert(0, {SOURCE!r})
before = set(sys.modules)
{code}
after = sorted(sys.modules.keys() - before)
import json
print(json.dumps(after))
"""
    return set(evaluate(lines, *(("-S",) if bare else ()), **environ))
