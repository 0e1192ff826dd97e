"""The Go server of the document Custom Module Development, built from it as it stands."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from e2e.containers import ROOT

GIVEN = "GO_MODULE"
"""The variable that names a binary built before."""

DOCUMENT = ROOT.parent / "shared/seed/custom-module-development.md"

_FILES = ("main.go", "handler.go", "manager.go")


def why_not() -> str | None:
    """Why it cannot be had on this machine."""
    if GIVEN in os.environ:
        return None
    if shutil.which("go") is None:
        return f"go is not on the PATH, and {GIVEN} names no binary built before"
    if not DOCUMENT.exists():
        return f"the document is not in ../{DOCUMENT.relative_to(ROOT.parent)}"
    return None


def build(folder: Path) -> Path:
    """The binary; the first build fetches the two packages that the document names."""
    if given := os.environ.get(GIVEN):
        return Path(given)
    blocks = re.findall(r"^```go\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    sources = [block for block in blocks if block.startswith("package main\n")]
    for name, source in zip(_FILES, sources, strict=True):
        (folder / name).write_text(source)
    [module] = [block for block in blocks if block.startswith("module ")]
    (folder / "go.mod").write_text(module)
    done = subprocess.run(
        ["go", "build", "-mod=mod", "-o", "module", "."],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / "module"
