"""``modulehost completion``: a real zsh and a real fish complete the command's words."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e import debian
from support.completion import IDS, WORDS, environ, make_folder

READY, IS_READY = "echo re''ady", r"ready.*\x1b\[\?2004h"  # the last: it takes keys again


class Zsh:
    """An interactive zsh at a terminal of its own."""

    def __init__(self, folder: Path) -> None:
        self._terminal, inner = pty.openpty()
        self._process = subprocess.Popen(
            ["setsid", "--ctty", "zsh", "-f", "-i"],
            stdin=inner, stdout=inner, stderr=inner, cwd=folder,
            env=environ(folder) | {"TERM": "dumb"},
        )  # fmt: skip
        os.close(inner)

    def type(self, keys: str, expected: str) -> str:
        """Type, and wait until the terminal shows what the pattern describes."""
        os.write(self._terminal, keys.encode())
        shown = ""
        ends = time.monotonic() + 20
        while not re.search(expected, shown, re.DOTALL):
            ready, _, _ = select.select([self._terminal], [], [], max(0.0, ends - time.monotonic()))
            assert ready, f"not {expected!r} but {shown!r}"
            shown += os.read(self._terminal, 4096).decode()
        return shown

    def close(self) -> None:
        """End it."""
        os.close(self._terminal)
        self._process.wait()


@pytest.fixture(scope="module")
def zsh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zsh]:
    """zsh with the script, as in the help."""
    debian.install({"zsh": "zsh"})
    folder = make_folder(tmp_path_factory.mktemp("completion"), "zsh")
    with contextlib.closing(Zsh(folder)) as shell:
        shell.type(f"autoload -U compinit; compinit -D -u; {READY}\r", IS_READY)
        shell.type(f'eval "$(modulehost completion zsh)"; {READY}\r', IS_READY)
        yield shell


@pytest.mark.parametrize(("words", "offered"), WORDS, ids=IDS)
def test_zsh_completes_words(zsh: Zsh, words: list[str], offered: set[str]) -> None:
    """As bash does; where there are several, Ctrl-D lists them."""
    line = f"modulehost {' '.join(words)}"
    if len(offered) == 1:
        zsh.type(f"{line}\t", rf"{line.rpartition(' ')[0]} {next(iter(offered))}")
    else:
        zsh.type(f"{line}\x04", "".join(rf"(?=.*\s{word}\b)" for word in offered))
    zsh.type(f"\x15{READY}\r", IS_READY)


@pytest.fixture(scope="module")
def fish(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a person who has fish."""
    debian.install({"fish": "fish"})
    return make_folder(tmp_path_factory.mktemp("completion"), "fish")


@pytest.mark.parametrize(("words", "offered"), WORDS, ids=IDS)
def test_fish_completes_words(fish: Path, words: list[str], offered: set[str]) -> None:
    """As the others do."""
    line = f"modulehost {' '.join(words)}"
    asked = f"modulehost completion fish | source; complete --do-complete '{line}'"
    command = ("fish", "--no-config", "--command", asked)
    done = subprocess.run(
        command, cwd=fish, env=environ(fish), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert {line.partition("\t")[0] for line in done.stdout.splitlines()} >= offered
