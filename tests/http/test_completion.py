"""``modulehost completion``: a real shell completes the command's words."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from support import interpreter
from support.cli import run
from support.completion import BIN, IDS, WORDS, environ, make_folder

ASK_BASH = r"""
source "$1"; shift
function=$(complete -p modulehost); function=${function##*-F }; function=${function%% *}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
$function modulehost "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
"""

COMMANDS = {"serve", "plugins", "call", "definition", "new", "check", "completion", "local"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a person works."""
    return make_folder(tmp_path_factory.mktemp("completion"), "bash")


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
    assert "choose from bash, zsh, fish" in result.stderr.replace("'", "")
