"""``modulehost completion``: a real shell completes the command's words."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import interpreter, site
from support.cli import run

from modulehost.testing.checks import CHECKS

BIN = Path(sys.executable).parent

ASK_BASH = r"""
source "$1"; shift
function=$(complete -p modulehost); function=${function##*-F }; function=${function%% *}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
$function modulehost "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
"""

COMMANDS = {"serve", "plugins", "call", "definition", "new", "check", "completion"}

WORDS = [
    (["pl"], {"plugins"}),
    (["call", ""], {"install", "uninstall", "sleep", "resume", "health"}),
    (["call", "--un"], {"--unless-asleep"}),
    (["definition", "--format", ""], {"custom", "module"}),
    (["definition", "go"], {"good"}),
    (["check", "wa"], {"waits"}),
    (["check", "good", "--only", "idle"], {"idle-connection"}),
    (["check", "good", "--skip", ""], {check.id for check in CHECKS}),
    (["check", "good", "--junit", "here"], {"here.xml"}),
    (["completion", ""], {"bash", "zsh"}),
]
"""What was typed, and what the last word can become."""

IDS = [" ".join(words) for words, _ in WORDS]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a person works: with the scripts, two plugins that do not load, and a file."""
    folder = tmp_path_factory.mktemp("completion")
    for plugin in ("good", "waits"):
        site.write_metadata(folder, f"test-{plugin}", plugin, "nowhere")
    (folder / "here.xml").touch()
    for shell in ("bash", "zsh"):
        result = run("completion", shell)
        assert (result.returncode, result.stderr) == (0, "")
        (folder / f"script.{shell}").write_text(result.stdout)
    return folder


def environ(folder: Path) -> dict[str, str]:
    """The command is found on the PATH, and its plugins in the folder."""
    return {"PATH": f"{BIN}:/usr/bin:/bin", "PYTHONPATH": str(folder), "HOME": str(folder)}


def ask_bash(folder: Path, *words: str) -> set[str]:
    """What bash offers for the last of the words."""
    command = ("bash", "--norc", "--noprofile", "-c", ASK_BASH, "ask", "script.bash", *words)
    done = subprocess.run(
        command, cwd=folder, env=environ(folder), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return set(done.stdout.split())


def test_bash_completes_commands(folder: Path) -> None:
    """With nothing typed yet, all of them."""
    assert ask_bash(folder, "modulehost", "") >= COMMANDS


@pytest.mark.parametrize(("words", "offered"), WORDS, ids=IDS)
def test_bash_completes_words(folder: Path, words: list[str], offered: set[str]) -> None:
    """Options, choices, files, and the names of plugins, which are not loaded for that."""
    found = ask_bash(folder, "modulehost", *words)
    assert found >= offered
    assert all(word.startswith(words[-1]) for word in found)


def test_bash_asks_the_command_that_was_typed(folder: Path) -> None:
    """One that is not on the PATH knows its own plugins."""
    assert "good" in ask_bash(folder, str(BIN / "modulehost"), "definition", "")


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
def zsh(folder: Path) -> Iterator[Zsh]:
    """zsh with the script, as in the help."""
    if shutil.which("zsh") is None:
        pytest.skip("there is no zsh")
    with contextlib.closing(Zsh(folder)) as shell:
        shell.type(f"autoload -U compinit; compinit -D -u; {READY}\r", IS_READY)
        shell.type(f'eval "$(modulehost completion zsh)"; {READY}\r', IS_READY)
        yield shell


@pytest.mark.parametrize(("words", "offered"), WORDS, ids=IDS)
def test_zsh_completes_words(zsh: Zsh, words: list[str], offered: set[str]) -> None:
    """The same; where there are several, Ctrl-D lists them."""
    line = f"modulehost {' '.join(words)}"
    if len(offered) == 1:
        zsh.type(f"{line}\t", rf"{line.rpartition(' ')[0]} {next(iter(offered))}")
    else:
        zsh.type(f"{line}\x04", "".join(rf"(?=.*\s{word}\b)" for word in offered))
    zsh.type(f"\x15{READY}\r", IS_READY)


def test_without_shtab_the_cure_is_told() -> None:
    """It belongs to the extra ``cli``: what to install is said in one line."""
    done = interpreter.run(
        "-c",
        "import sys; sys.modules['shtab'] = None; sys.argv = ['modulehost', 'completion', 'bash']\n"
        "from modulehost.cli import main; sys.exit(main())",
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "modulehost: completion takes a package more: pip install 'modulehost[cli]'\n"
    )


def test_an_unknown_shell_is_refused_with_those_there_are() -> None:
    """By the parser, with exit status 2."""
    result = run("completion", "csh")
    assert result.returncode == 2
    assert "choose from bash, zsh" in result.stderr.replace("'", "")
