"""The docstring of each room tells what its process is; that is held to the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from modulehost.shared import records

HOME = Path(__file__).parents[2] / "host" / "modulehost"
ROOMS = ("keeper", "front", "runner", "plugin", "shared")
WORDS = ("Process", "Threads", "Reads", "Writes", "Dies when")
RECORDS = {record.__name__ for record in get_args(records.AnyRecord)}
LONGEST = 350
"""Lines of a file."""


def told(room: str) -> dict[str, str]:
    """What the docstring says after each of the five words."""
    text = ast.get_docstring(ast.parse((HOME / room / "__init__.py").read_text())) or ""
    parts = re.split(rf"^({'|'.join(WORDS)}): ", text, flags=re.MULTILINE)
    assert tuple(parts[1::2]) == WORDS
    return dict(zip(WORDS, parts[2::2], strict=True))


def names(text: str) -> set[str]:
    """What stands in double backticks."""
    return set(re.findall(r"``(.+?)``", text))


def threads(room: str) -> Iterator[str]:
    """The names of the threads that a room's code makes, up to what differs in them."""
    for file in (HOME / room).glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Call(func=ast.Attribute(attr="Thread" | "__init__"), keywords=keywords):
                    if "daemon" not in {keyword.arg for keyword in keywords}:
                        continue
                    for keyword in keywords:
                        match keyword.value:
                            case ast.Constant(value=str(name)) if keyword.arg == "name":
                                yield name
                            case ast.JoinedStr(values=[ast.Constant(value=str(name)), *_]):
                                yield name.strip()


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_names_its_threads(room: str) -> None:
    """Those that its code makes, and no others."""
    assert names(told(room)["Threads"]) == set(threads(room))


def test_what_one_process_writes_the_other_reads() -> None:
    """Each record is told on both sides, and made by whoever writes it."""
    front, runner = told("front"), told("runner")
    sent = {room: names(told(room)["Writes"]) & RECORDS for room in ("front", "runner")}
    assert names(front["Reads"]) & RECORDS == sent["runner"]
    assert names(runner["Reads"]) & RECORDS == sent["front"]
    assert sent["front"] | sent["runner"] == RECORDS
    for room, written in sent.items():
        code = "".join(file.read_text() for file in (HOME / room).glob("*.py"))
        assert [name for name in written if not re.search(rf"\b{name}\(", code)] == []


@pytest.mark.parametrize("room", ROOMS)
def test_a_file_has_one_job(room: str) -> None:
    """None is longer than can be read at once."""
    lengths = {p.name: len(p.read_text().splitlines()) for p in (HOME / room).glob("*.py")}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}
