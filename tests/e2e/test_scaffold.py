"""The Dockerfile that ``modulehost new`` makes."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from e2e.conftest import StartContainer
from e2e.containers import HARDENED, Engine
from support.cli import run


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """A plugin as it is made."""
    result = run("new", "my-hello", "--path", str(tmp_path / "plugin"))
    assert result.returncode == 0, result.stderr
    return tmp_path / "plugin"


def test_hadolint_finds_nothing(plugin: Path) -> None:
    """Not even style."""
    hadolint = str(Path(sys.executable).with_name("hadolint"))
    command = [hadolint, "--failure-threshold", "style", "--no-color", "Dockerfile"]
    result = subprocess.run(command, cwd=plugin, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_make_image_makes_one_that_lives(
    engine: Engine, base: str, plugin: Path, start: StartContainer
) -> None:
    """``make image``: the base with the plugin, hardened as a careful platform runs it."""
    (plugin / "build").mkdir()
    (plugin / "build/large").write_bytes(b"x" * 1_000_000)
    engine.run(
        *("make", "-C", str(plugin), "image", "ENGINE=podman", "IMAGE=localhost/my-hello"),
        *(f"BASE={base}", f"IMAGE_ARGS={shlex.join([*engine.build_arguments, '--pull=never'])}"),
    )
    assert engine.image("localhost/my-hello")["Size"] - engine.image(base)["Size"] < 200_000
    assert engine.image("localhost/my-hello")["Config"]["User"] == "65532:65532"
    container = start("localhost/my-hello", *HARDENED)
    metadata: Any = {}
    for operation, status in (("install", 201), ("sleep", 200), ("resume", 200)):
        reply = container.call(operation, metadata)
        assert reply.status == status, reply.text
        metadata = reply.json
    assert container.call("uninstall", metadata).status == 204
