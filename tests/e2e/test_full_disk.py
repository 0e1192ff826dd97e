"""A disk that is really full: a small file system, which takes root to mount."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.faults import given
from support.host import StartHost
from support.processes import wait_until


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with a megabyte of room."""
    path = tmp_path / "disk"
    path.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "modulehost-test", path],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    yield path
    subprocess.run(["umount", "-l", path], check=True)


def fill(disk: Path) -> Path:
    """Fill the disk; the file that does."""
    path = disk / "filler"
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 512)
    assert os.statvfs(disk).f_bfree == 0
    return path


def test_a_full_disk_loses_nothing(start_host: StartHost, disk: Path) -> None:
    """Operations work, a warning says where the journal is, it stays awake until there is room."""
    settings = {"MODULE_STATE_DIR": disk / "state", "MODULE_IDLE": 0.5, "RAISES": "ValueError"}
    host = start_host("raises", **settings)
    sent = {"text": "x" * 20_000}
    filler = fill(disk)
    assert host.call("install", sent).status == 400
    why = f"{disk / 'state'}: No space left on device"
    event = host.wait_for(f"the journal is kept in memory only: {why}")
    assert event["level"] == "warning"
    front = host.front
    time.sleep(2)  # four times the idle time
    assert host.front == front
    assert host.call("sleep", sent).status == 200
    left = {**sent, "install": 1, "half": "done"}
    assert given(host)[-1] == ("sleep", left)
    filler.unlink()
    assert host.call("resume", {**left, "sleep": 1}).status == 200
    wait_until(host.is_asleep, "the host is asleep")
    assert host.call("uninstall", {**left, "sleep": 1}).status == 204
    assert given(host)[-1] == ("uninstall", {**left, "sleep": 1, "resume": 1})
