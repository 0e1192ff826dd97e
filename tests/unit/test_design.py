"""How it works is drawn and told as it is: docs/design.md and its drawing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args
from xml.etree import ElementTree as ET

import pytest

from modulehost.front import journal
from modulehost.shared import records

ROOT = Path(__file__).parents[2]
HOME = ROOT / "host" / "modulehost"
ROOMS = ("keeper", "front", "runner", "plugin", "shared")
PAGE = (ROOT / "docs" / "design.md").read_text()
DRAWING = ROOT / "docs" / "assets" / "design.svg"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def drawing() -> ET.Element:
    """The drawing; reading it fails when it is no well-formed XML."""
    return ET.parse(DRAWING).getroot()


def texts(drawing: ET.Element, kind: str) -> list[str]:
    """All texts of a class, in alphabetical order."""
    found = drawing.iter(f"{SVG}text")
    return sorted(str(e.text) for e in found if kind in e.get("class", "").split())


def section(heading: str) -> str:
    """What stands below a heading of the page, up to the next one."""
    return PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def test_the_drawing_names_every_record(drawing: ET.Element) -> None:
    """Each that front and runner exchange, once, and none that there is not."""
    names = [record.__name__ for record in get_args(records.AnyRecord)]
    assert texts(drawing, "record") == sorted(names)
    assert texts(drawing, "channel") == ["calls", "control"]


def test_the_drawing_has_every_process(drawing: ET.Element) -> None:
    """Those that the page tells of."""
    told = re.findall(r"^\*\*(\w+)\*\* \(", section("Four kinds of process"), re.MULTILINE)
    assert sorted(name.lower() for name in told) == texts(drawing, "process")
    assert len(told) == 4


def test_the_drawing_names_files_that_there_are(drawing: ET.Element) -> None:
    """In the host's package; and the two of the journal."""
    named = " ".join(texts(drawing, "file"))
    files = re.findall(r"\w+\.py", named)
    assert "serve.py" in files
    assert [name for name in files if not any(HOME.glob(f"*/{name}"))] == []
    assert texts(drawing, "slot") == [f"{journal.FILE}.0", f"{journal.FILE}.1"]


def test_the_steps_of_a_call_are_those_of_the_page(drawing: ET.Element) -> None:
    """As many numbers in the drawing, each once, and once in its key."""
    steps = re.findall(r"^(\d+)\. ", section("The path of a call"), re.MULTILINE)
    assert len(steps) > 5
    assert texts(drawing, "number") == sorted(steps)
    assert texts(drawing, "key") == sorted(steps)


def test_the_drawing_can_be_read_aloud_and_needs_nothing_else(drawing: ET.Element) -> None:
    """A title and a description, which name each record, too; no script, nothing fetched."""
    label = drawing.get("aria-labelledby", "").split()
    named = {e.get("id"): str(e.text) for e in drawing}
    assert drawing.get("role") == "img"
    assert all(named[part].strip() for part in label)
    assert len(label) == 2
    words = set(re.findall(r"\w+", named["desc"]))
    assert {record.__name__ for record in get_args(records.AnyRecord)} <= words
    assert re.findall(r"<script|href|@import|url\((?!#)", DRAWING.read_text()) == []


def test_the_page_says_what_each_file_does() -> None:
    """A row for each room of a process, for each file in it, and for each other folder."""
    rows = re.findall(r"^\| `([\w./]+)` \| .+ \|$", section("Which file does what"), re.M)
    found = [p.name for p in HOME.glob("*.py")]
    for folder in HOME.iterdir():
        if folder.is_dir() and folder.name != "__pycache__":
            found.append(f"{folder.name}/")
            if folder.name in ROOMS:
                files = folder.glob("*.py")
                found += [f"{folder.name}/{p.name}" for p in files if p.name != "__init__.py"]
    assert sorted(rows) == sorted(found)
