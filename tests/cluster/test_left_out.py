"""Where there can be no cluster, one line says so; in CI that is a failure."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from e2e.containers import ROOT

REASON = "that takes Go 1.24 or later"


@pytest.fixture
def without_go(tmp_path: Path) -> dict[str, str]:
    """The environment of a machine without Go, that has built nothing before."""
    apt = shutil.which("apt-get")
    assert apt is not None
    (tmp_path / "apt-get").symlink_to(apt)
    environ = {name: value for name, value in os.environ.items() if name != "CI"}
    return {**environ, "PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}


def run(environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """A part of these tests."""
    pytest_ = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider")
    command = (*pytest_, "tests/cluster/test_deploy.py")
    return subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )


def test_without_go_one_line_says_so(without_go: dict[str, str]) -> None:
    """Nothing fails, and nothing else is said of it."""
    done = run(without_go)
    assert done.returncode == 0, done.stdout
    lines = [line for line in done.stdout.splitlines() if "cluster was made" in line]
    assert lines == [f"No cluster was made: {REASON}."]


def test_in_ci_it_is_a_failure(without_go: dict[str, str]) -> None:
    """With the reason."""
    done = run({**without_go, "CI": "true"})
    assert done.returncode == 1
    assert f"no cluster can be made: {REASON}" in done.stdout
