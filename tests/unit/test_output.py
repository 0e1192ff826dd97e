"""What a plugin prints: cut into lines, counted, dropped, never kept in memory."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.properties import tried_less

from modulehost.front.plugin_output import LINES_PER_SECOND, LONGEST_LINE, Output
from modulehost.front.refused import Refused
from modulehost.shared.logs import Log
from modulehost.shared.redaction import Redactor


def printed(file: Path, *pieces: bytes, secrets: Iterable[str] = ()) -> list[dict[str, Any]]:
    """The log after a plugin has printed these pieces and closed its output."""
    redactor = Redactor()
    redactor.add(secrets)
    reading, writing = os.pipe()
    with file.open("wb") as log:
        output = Output(
            os.fdopen(reading, "rb"),
            "stdout",
            Log(log.fileno(), "info", "json"),
            redactor,
            Refused(),
        )
        output.start()
        with os.fdopen(writing, "wb", 0) as stream:
            for piece in pieces:
                stream.write(piece)
        output.join()
    return [json.loads(line) for line in file.read_bytes().splitlines()]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the log goes."""
    return tmp_path / "log"


def test_each_line_is_an_event(file: Path) -> None:
    """Lines come out in order, with the name of the stream; blank ones do not."""
    lines = printed(file, b"one\ntw", b"o\n\n  \n\tthree \r\n")
    assert [(line["event"], line["stream"], line["level"]) for line in lines] == [
        ("one", "stdout", "info"),
        ("two", "stdout", "info"),
        ("\tthree", "stdout", "info"),
    ]


def test_the_last_line_needs_no_end(file: Path) -> None:
    """What was printed before the end comes out, a newline behind it or not."""
    assert [line["event"] for line in printed(file, b"one\ntwo")] == ["one", "two"]


def test_what_is_no_text_is_shown_as_bytes(file: Path) -> None:
    """Bytes that are no UTF-8 come out in hexadecimal."""
    assert [line["event"] for line in printed(file, b"a\xffb\n")] == ["a\\xffb"]


@pytest.mark.parametrize("size", [LONGEST_LINE - 1, LONGEST_LINE, LONGEST_LINE + 1, 100_000])
def test_long_lines_are_cut(file: Path, size: int) -> None:
    """A line without end becomes many, and all of it comes out."""
    events = [line["event"] for line in printed(file, b"x" * size, b"\nshort\n")]
    assert events[-1] == "short"
    assert "".join(events[:-1]) == "x" * size
    assert max(map(len, events)) <= LONGEST_LINE


def test_a_flood_is_counted(file: Path) -> None:
    """Of too many lines those that are not shown are counted, and none is forgotten."""
    count = 20 * LINES_PER_SECOND
    lines = printed(file, *[b"line\n" * 100] * (count // 100), b"last\n")
    shown = [line for line in lines if "dropped" not in line]
    dropped = [line for line in lines if "dropped" in line]
    assert len(shown) + sum(line["dropped"] for line in dropped) == count + 1
    assert {(line["level"], line["event"]) for line in dropped} == {
        ("warning", "the plugin printed too much")
    }
    assert len(shown) >= LINES_PER_SECOND


def test_a_flood_does_not_silence_the_other_stream(file: Path, tmp_path: Path) -> None:
    """The bound is for each stream."""
    flood = threading.Thread(target=printed, args=(tmp_path / "other", b"x\n" * 50_000))
    flood.start()
    assert [line["event"] for line in printed(file, b"heard\n")] == ["heard"]
    flood.join()


@tried_less
@given(st.lists(st.binary(max_size=20) | st.sampled_from([b"\n", b"\xc3", b"\xa9", b"x" * 5000])))
def test_anything_can_be_printed(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes]
) -> None:
    """Whatever is printed ends up in lines of JSON."""
    file = tmp_path_factory.getbasetemp() / "anything"
    events = [line["event"] for line in printed(file, *pieces)]
    assert bool(events) == bool(b"".join(pieces).decode("utf-8", "replace").strip())
