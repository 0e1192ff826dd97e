"""Every block of code in the documentation is of a known kind, and means what it says."""

from __future__ import annotations

import configparser
import contextlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from markdown_it import MarkdownIt
from support import site

from modulehost.cli.parser import make_parser

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")), ROOT / "deploy/README.md"]
TARGETS = set(re.findall(r"^([a-z0-9]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
PLUGIN_TARGETS = set(
    re.findall(
        r"^([a-z]+):.*##",
        (ROOT / "host/modulehost/scaffold/Makefile.tmpl").read_text(),
        re.MULTILINE,
    )
)


class Block(NamedTuple):
    """A fenced block."""

    document: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.document.relative_to(ROOT)}:{self.line}"


def blocks() -> list[Block]:
    """All of them, in all documents."""
    return [
        Block(document, token.map[0] + 1 if token.map else 0, token.info, token.content)
        for document in DOCUMENTS
        for token in MarkdownIt().parse(document.read_text())
        if token.type == "fence"
    ]


def commands() -> list[tuple[str, str]]:
    """Each command line after a prompt, with its place; continued lines are joined."""
    return [
        (str(block), line)
        for block in blocks()
        if block.language == "console"
        for line in re.findall(r"^\$ (.*)$", block.text.replace("\\\n", " "), re.MULTILINE)
    ]


@pytest.mark.parametrize("block", blocks(), ids=str)
def test_a_block_is_of_a_kind_that_is_checked(block: Block) -> None:
    """It is read by what reads its language; a language that nothing here reads is a mistake."""
    match block.language:
        case "python":
            compile(block.text, str(block), "exec")
        case "yaml":
            assert yaml.safe_load(block.text)
        case "json":
            json.loads(block.text)
        case "toml":
            assert tomllib.loads(block.text)
        case "ini":
            configparser.ConfigParser().read_string(block.text)
        case "dockerfile":
            assert block.text.startswith("FROM ")
        case "console":
            assert block.text.startswith("$ ")
        case language:
            assert language == "text"


@pytest.mark.parametrize(
    ("place", "line"), [c for c in commands() if re.search(r"(^|\s)modulehost [a-z]", c[1])]
)
def test_a_command_of_modulehost_has_arguments_that_there_are(place: str, line: str) -> None:
    """The parser takes them."""
    words = shlex.split(line, comments=True)
    words = words[words.index("modulehost") + 1 :]
    words = words[: min((words.index(w) for w in ("|", ">", "&&", ";") if w in words), default=99)]
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            make_parser().parse_args(words)
    except SystemExit:
        pytest.fail(f"{place}: {said.getvalue()}")


@pytest.mark.parametrize(("place", "line"), [c for c in commands() if c[1].startswith("make ")])
def test_a_target_of_make_is_there(place: str, line: str) -> None:
    """In this Makefile, or in that of a plugin which ``modulehost new`` has made."""
    words = shlex.split(line, comments=True)[1:]
    named = {word for word in words if "=" not in word}
    assert named <= TARGETS | PLUGIN_TARGETS, place


@pytest.mark.parametrize(("place", "line"), [c for c in commands() if " deploy/" in c[1]])
def test_a_file_that_a_command_takes_is_there(place: str, line: str) -> None:
    """Below ``deploy/``."""
    for path in re.findall(r"\bdeploy/\S+", line):
        assert (ROOT / path).exists(), place


@pytest.mark.slow
def test_the_quick_start_is_one(tmp_path: Path) -> None:
    """Its commands of modulehost, one after the other; what it shows is what is printed."""
    text = "".join(b.text for b in blocks() if b.document.name == "quickstart.md")
    steps = re.findall(r"^\$ (modulehost .*)\n((?:[^$\n].*\n)*)", text, re.MULTILINE)
    assert [line.split()[1] for line, _ in steps] == ["new", "local", "check"]
    site.write_metadata(tmp_path, "hello", "hello", "hello.manager")
    folder = tmp_path
    for line, shown in steps:
        result = subprocess.run(
            [sys.executable, "-m", *shlex.split(line)],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": f"{tmp_path}:{tmp_path / 'hello'}"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        pattern = re.escape(shown).replace(re.escape("...\n"), r"(?s:.*)")
        assert not shown or re.fullmatch(pattern, result.stdout), result.stdout
        folder = tmp_path / "hello"
