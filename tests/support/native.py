"""The native listener, built as the tests need it: with sanitizers, or small as in the image."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "host/native/modulehost-listen.c"

STRICT = (
    *("-std=c11", "-D_GNU_SOURCE", "-Werror", "-Wall", "-Wextra", "-Wpedantic"),
    *("-Wshadow", "-Wconversion", "-Wstrict-prototypes"),
)
SANITIZED = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
SMALL = ("-Os", "-static", "-s")
ENVIRON = {"ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1", "UBSAN_OPTIONS": "halt_on_error=1"}
"""Leaks are no matter: it ends, or becomes another program."""


def compiler() -> str | None:
    """A C compiler, if there is one."""
    return next(filter(None, map(shutil.which, ("gcc", "cc", "clang"))), None)


@functools.cache
def built(*options: str) -> Path:
    """The program; AssertionError with what the compiler says against it."""
    folder = Path(tempfile.mkdtemp(prefix="modulehost-native-"))
    program = folder / "modulehost-listen"
    found = compiler()
    assert found, "there is no C compiler"
    argv = [found, *STRICT, *options, "-o", str(program), str(SOURCE)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return program


def reason() -> str | None:
    """Why it cannot be tested here. CI has a compiler, or fails."""
    if compiler() or os.environ.get("CI"):
        return None
    return "there is no C compiler, so the native listener was not tested"
