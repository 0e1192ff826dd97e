"""Every block of code in the documentation is of a known kind, and is run or says why not.

``tests/pages`` runs them.
"""

from __future__ import annotations

import ast
import configparser
import contextlib
import io
import json
import re
import shlex
import tomllib

import pytest
import yaml
from support.pages import DOCUMENTS, MARK, Block, blocks
from support.venv import ROOT

from modulehost.cli.parser import make_parser

BLOCKS = [block for document in DOCUMENTS for block in blocks(document)]
TARGETS = set(re.findall(r"^([a-z0-9]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
PLUGIN_TARGETS = set(
    re.findall(
        r"^([a-z]+):.*##",
        (ROOT / "host/modulehost/scaffold/Makefile.tmpl").read_text(),
        re.MULTILINE,
    )
)


def commands() -> list[tuple[str, str]]:
    """Each command line after a prompt, with its place; continued lines are joined."""
    return [
        (str(block), line)
        for block in BLOCKS
        if block.language == "console"
        for line, _ in block.commands()
    ]


@pytest.mark.parametrize("block", BLOCKS, ids=str)
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
        case "sh":
            assert block.text.startswith("#!/bin/sh\n")
        case language:
            assert language == "text"


@pytest.mark.parametrize(
    "block", [b for b in BLOCKS if b.language in {"dockerfile", "sh"} or b.mark], ids=str
)
def test_a_block_that_is_not_run_says_why(block: Block) -> None:
    """Or it names the test that does the same, which exists."""
    assert block.mark, "mark it: <!-- not run: REASON -->, or <!-- test: FILE::TEST -->"
    kind, words = block.mark.groups()
    if kind != "not run":
        file, _, name = words.partition("::")
        assert kind == "test" or file.startswith("tests/e2e/")
        tree = ast.parse((ROOT / file).read_text())
        assert name in {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}


def test_every_mark_is_one_of_a_block() -> None:
    """It stands right before a fence; elsewhere it would say nothing."""
    for document in DOCUMENTS:
        marked = [block for block in blocks(document) if block.mark]
        assert len(MARK.findall(document.read_text())) == len(marked), document


@pytest.mark.parametrize(
    ("place", "line"), [c for c in commands() if re.match(r"([A-Z_]+=\S+ )*modulehost ", c[1])]
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
