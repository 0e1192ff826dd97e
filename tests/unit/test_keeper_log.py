"""The keeper's own log lines."""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.interpreter import evaluate
from support.properties import tried

from modulehost.keeper import log as keeper_log
from modulehost.shared import line_writer, logs


@contextlib.contextmanager
def standard_output() -> Iterator[int]:
    """Standard output as a file, for code that writes to descriptor 1."""
    saved = os.dup(1)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 1)
        try:
            yield file.fileno()
        finally:
            os.dup2(saved, 1)
            os.close(saved)


class TestLog:
    """The keeper's own lines, written without the logger."""

    @pytest.fixture(autouse=True)
    def _style(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MODULE_LOG_FORMAT", "json")

    def written(self, level: str, event: str, **values: object) -> bytes:
        """A line."""
        with standard_output() as fd:
            keeper_log.log(level, event, **values)
            return os.pread(fd, 1 << 20, 0)

    def test_lines_have_the_form_of_all_others(self) -> None:
        """To the byte what the logger makes of it, but for the time."""
        values: dict[str, object] = {"port": 8080, "reason": 'no "x" in C:\\x\n…', "how": "SIGKILL"}
        ours = self.written("error", "gunicorn ended", **values)
        log = logs.Log(1, "info", "json")
        with standard_output() as fd:
            log.event("error", "gunicorn ended", **values)
            theirs = os.pread(fd, 1 << 20, 0)
        stamp = re.compile(rb'"timestamp":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"')
        assert stamp.search(ours)
        first, second = (json.loads(stamp.sub(b'"timestamp":""', line)) for line in (ours, theirs))
        assert [*first.items()] == [*second.items()]

    @tried
    @given(
        st.text(st.characters(codec=None), min_size=1, max_size=50),
        st.dictionaries(
            st.sampled_from(["port", "how", "reason"]),
            st.integers() | st.text(st.characters(codec=None), min_size=1),
        ),
    )
    def test_any_line_is_json(self, event: str, values: dict[str, object]) -> None:
        """Whatever the reason holds, there is one line of JSON with it."""
        text = self.written("error", event, **values)
        assert text.count(b"\n") == 1
        line = json.loads(text)
        for key, value in {"level": "error", "event": event, **values}.items():
            assert line[key] == value

    @pytest.mark.parametrize("style", ["json", "console"])
    @pytest.mark.parametrize("character", ["x", "…", "\0", '"', "\ud800", "\n"])
    @pytest.mark.parametrize("size", [900, 3900, 5000])
    def test_no_line_is_longer_than_the_others(
        self, monkeypatch: pytest.MonkeyPatch, size: int, character: str, style: str
    ) -> None:
        """So it is written in one piece; what is too long is cut."""
        monkeypatch.setenv("MODULE_LOG_FORMAT", style)
        text = self.written("error", "gunicorn ended", how="x", reason=character * size)
        assert len(text) <= line_writer.MAX_LINE
        assert text.count(b"\n") == 1
        assert text.endswith(b"\n")
        if style == "json":
            line = json.loads(text)
            assert (line["event"], line["how"]) == ("gunicorn ended", "x")
            assert character * 100 in line["reason"]

    def test_empty_values_are_left_out(self) -> None:
        """A reason that nobody gave is not shown."""
        assert b"reason" not in self.written("error", "gunicorn ended", how="x", reason="")

    def test_a_person_gets_the_console_form(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The setting holds for these lines, too."""
        monkeypatch.setenv("MODULE_LOG_FORMAT", "Console")
        line = self.written("info", "listening", port=8080)
        assert re.fullmatch(rb"\d\d:\d\d:\d\d info    listening port=8080\n", line)


STALLED = """
import json, os
from modulehost.keeper.log import log

reader, writer = os.pipe()
out = os.dup(1)
os.dup2(writer, 1)
os.close(writer)
for number in range(2000):  # far more than a pipe takes: nobody reads
    log("info", "a line", number=number)
read = os.read(reader, 1 << 20)
log("info", "the last")
rest = os.read(reader, 1 << 20)
os.dup2(out, 1)
print(json.dumps([read.decode(), rest.decode()]))
"""


def test_a_reader_that_stalls_holds_up_nobody() -> None:
    """What cannot be written at once is dropped, and how much that was is told later."""
    first, later = (text.splitlines() for text in evaluate(STALLED))
    written = [json.loads(line)["number"] for line in first]
    assert written == list(range(len(written)))
    assert 10 < len(written) < 2000
    told, last = map(json.loads, later)
    assert (told["level"], told["event"]) == ("warning", "log lines were dropped")
    assert told["count"] == 2000 - len(written)
    assert last["event"] == "the last"


@pytest.mark.parametrize("kind", ["file", "closed pipe", "nothing"])
def test_wherever_it_goes_it_never_raises(kind: str) -> None:
    """A file takes every line; without anybody who reads they are lost."""
    code = f"""
import json, os, tempfile
from modulehost.keeper.log import log
out = os.dup(1)
reader, writer = os.pipe()
file = tempfile.TemporaryFile()
os.close(reader)
os.close(1)
if {kind!r} != "nothing":
    os.dup2(file.fileno() if {kind!r} == "file" else writer, 1)
for _ in range(3):
    log("info", "a line")
os.dup2(out, 1)
print(json.dumps(file.seek(0, 2)))
"""
    size = evaluate(code)
    assert (size > 0) == (kind == "file")
