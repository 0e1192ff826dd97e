"""The native listener: what a linter finds in it, and that it can be built for other processors."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import pytest
from support import native

MACHINES = {"x86_64": 62, "aarch64": 183}
"""e_machine of elf(5)."""


def test_clang_tidy_finds_nothing() -> None:
    """What is ignored is ignored in the file beside it, where it can be seen."""
    tidy = Path(sys.executable).with_name("clang-tidy")
    result = subprocess.run(
        [tidy, "--quiet", native.SOURCE, "--", "-std=c11", "-D_GNU_SOURCE"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (result.returncode, result.stdout) == (0, "")


@pytest.mark.parametrize("machine", MACHINES)
def test_it_is_built_for_every_processor_alike(tmp_path: Path, machine: str) -> None:
    """With the compiler of the Dockerfile, which brings a C library of its own."""
    program = tmp_path / "program"
    argv = [sys.executable, "-m", "ziglang", "cc", "-target", f"{machine}-linux-musl"]
    result = subprocess.run(
        [*argv, *native.STRICT, *native.SMALL, "-o", program, native.SOURCE],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (result.returncode, result.stderr) == (0, "")
    content = program.read_bytes()
    assert len(content) < 100_000
    assert struct.unpack_from("H", content, 18) == (MACHINES[machine],)
