"""Log lines: one event a line, of bounded length, and a log call never raises."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import pty
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.properties import VALUES, tried

from modulehost.shared.line_writer import MAX_LINE
from modulehost.shared.logs import LEVELS, Log, format_error

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


class Mute:
    """Cannot be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("not for you")

    def __str__(self) -> str:
        raise RuntimeError("nor so")


def _circle() -> list[Any]:
    ring: list[Any] = []
    ring.append(ring)
    return ring


def _abyss() -> list[Any]:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    return value


ODD: dict[str, Any] = {
    "mute": Mute(),
    "a list with a mute": [1, Mute()],
    "circle": _circle(),
    "abyss": _abyss(),
    "bytes": b"\xff\x00",
    "set": {1},
    "surrogate": "\ud800",
    "surrogates below": {"a": ["\udfff"]},
    "huge integer": 2**200,
    "nan": float("nan"),
    "keys": {1: 2, (3, 4): 5, None: 6},
    "date": datetime.datetime(2025, 10, 14),
    "type": int,
    "error": ValueError("text"),
    "control": "\x00\x1b[31m\r\n\u2028",
}

ANY = VALUES | st.sampled_from([*ODD.values()]) | st.text(st.characters(codec=None), max_size=5000)
LINES = st.dictionaries(st.text(st.characters(codec=None), min_size=1) | st.just("timestamp"), ANY)


@contextlib.contextmanager
def logging(style: str = "json", **settings: Any) -> Iterator[tuple[Log, Callable[[], bytes]]]:
    """A log, and how to read what was written to it since."""
    file: IO[bytes]
    with tempfile.TemporaryFile() as file:
        position = 0

        def read() -> bytes:
            nonlocal position
            text = os.pread(file.fileno(), 1 << 24, position)
            position += len(text)
            return text

        settings = {"level": "info", **settings}
        yield Log(file.fileno(), style=style, **settings), read


class TestJson:
    """The form for machines."""

    def test_a_line_is_an_object(self) -> None:
        """Time in UTC, level and event come first, then the values."""
        with logging() as (log, read):
            log.event("warning", "call refused", path="/install", seconds=0.5, n=3, none=None)
            text = read()
        assert text.endswith(b"}\n")
        line = json.loads(text)
        assert STAMP.fullmatch(line.pop("timestamp"))
        assert [*line.items()] == [
            ("level", "warning"),
            ("event", "call refused"),
            ("path", "/install"),
            ("seconds", 0.5),
            ("n", 3),
            ("none", None),
        ]

    def test_structlog_has_the_same_form(self) -> None:
        """What a plugin logs looks as what the host logs."""
        with logging() as (log, read):
            log.structlog.bind(operation="install").info("created", name="x")
            line = json.loads(read())
        assert [*line] == ["timestamp", "level", "event", "operation", "name"]
        assert (line["level"], line["event"], line["name"]) == ("info", "created", "x")

    def test_the_time_is_the_hosts(self) -> None:
        """A value of that name does not replace it."""
        with logging() as (log, read):
            log.structlog.info("x", timestamp=5, level="y")
            line = json.loads(read())
        assert STAMP.fullmatch(line["timestamp"])
        assert line["level"] == "info"

    def test_a_traceback_is_one_value(self) -> None:
        """An exception is told on the same line."""
        with logging() as (log, read):
            try:
                raise ValueError("the cause")
            except ValueError:
                log.structlog.exception("it failed")
            text = read()
        assert text.count(b"\n") == 1
        line = json.loads(text)
        assert line["level"] == "error"
        assert line["exception"].startswith("Traceback (most recent call last):\n")
        assert line["exception"].endswith("ValueError: the cause")

    @pytest.mark.parametrize("name", ODD)
    def test_odd_values_do_no_harm(self, name: str) -> None:
        """Whatever is logged comes out as text, and the values beside it come out, too."""
        with logging() as (log, read):
            log.event("info", "odd", value=ODD[name], beside="fine")
            line = json.loads(read())
        assert (line["event"], line["beside"]) == ("odd", "fine")
        assert "value" in line

    @tried
    @given(ANY, LINES)
    def test_any_line_is_json_of_bounded_length(self, event: Any, values: dict[str, Any]) -> None:
        """Whatever is logged: one line of JSON, 4096 bytes at most, with its time and level."""
        with logging() as (log, read):
            log.structlog.info(event, **_without_own(values))
            text = read()
        assert text.count(b"\n") == 1
        assert text.endswith(b"\n")
        assert len(text) <= MAX_LINE
        line = json.loads(text)
        assert STAMP.fullmatch(line["timestamp"])
        assert line["level"] == "info"

    @pytest.mark.parametrize("size", [3000, 4000, 10_000, 1_000_000])
    @pytest.mark.parametrize("character", ["x", "\u00e9", "\U0001f600", "\x00", '"'])
    def test_long_values_are_cut(self, size: int, character: str) -> None:
        """The longest value gives way; a line says when it was cut, and only then."""
        with logging() as (log, read):
            log.event("info", "long", value=character * size, beside="fine")
            text = read()
        assert len(text) <= MAX_LINE
        line = json.loads(text)
        assert (line["event"], line["beside"]) == ("long", "fine")
        assert line.get("truncated", False) == (line["value"] != character * size)
        if line.get("truncated"):
            assert line["value"].endswith("…")
            assert len(text) > MAX_LINE // 4

    def test_only_what_is_too_long_is_cut(self) -> None:
        """Up to the last byte a line stays whole; from there on it is cut."""
        sizes = []
        with logging() as (log, read):
            for size in range(3900, 4100):
                log.event("info", "x", value="x" * size)
                text = read()
                if b"truncated" not in text:
                    sizes.append(len(text))
                assert len(text) <= MAX_LINE
        assert sizes == [*range(min(sizes), MAX_LINE + 1)]

    @pytest.mark.parametrize("count", [200, 1000])
    def test_many_values_are_cut(self, count: int) -> None:
        """Nor does a line of many values get longer."""
        with logging() as (log, read):
            log.event("info", "many", **{f"key number {n}": "value" for n in range(count)})
            text = read()
        assert len(text) <= MAX_LINE
        assert json.loads(text)["truncated"] is True


def _without_own(values: dict[str, Any]) -> dict[str, Any]:
    """Without names that structlog's methods take for themselves."""
    return {k: v for k, v in values.items() if k not in ("self", "event", "exc_info", "stack_info")}


class TestConsole:
    """The form for people."""

    @pytest.fixture(autouse=True)
    def _plain(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NO_COLOR", "1")

    def test_a_line_is_for_reading(self) -> None:
        """Time of day, level, event, then the values, in quotes where they need some."""
        with logging("console") as (log, read):
            log.event("warning", "call refused", path="/install", reason="not JSON", n=3, empty="")
            text = read().decode()
        assert re.fullmatch(
            r"\d\d:\d\d:\d\d warning call refused path=/install reason='not JSON' n=3 empty=''\n",
            text,
        )

    def test_a_traceback_stands_below(self) -> None:
        """An exception has lines of its own."""
        with logging("console") as (log, read):
            try:
                raise ValueError("the cause")
            except ValueError:
                log.structlog.exception("it failed", n=1)
            lines = read().decode().splitlines()
        assert lines[0].endswith("error   it failed n=1")
        assert lines[1] == "Traceback (most recent call last):"
        assert lines[-1] == "ValueError: the cause"

    @tried
    @given(ANY, LINES)
    def test_any_line_comes_out(self, event: Any, values: dict[str, Any]) -> None:
        """Whatever is logged, a call does not raise, and something is written in UTF-8."""
        with logging("console") as (log, read):
            log.structlog.info(event, **_without_own(values))
            assert re.match(r"\d\d:\d\d:\d\d info", read().decode())


WRONG: dict[str, tuple[Callable[[Any], object], str]] = {
    "a number that is none": (lambda log: log.info("%d of 3", "x"), "%d of 3 x"),
    "too many": (lambda log: log.info("100%", 5), "100% 5"),
    "too few": (lambda log: log.info("%s %s", "x"), "%s %s x"),
    "no event": (lambda log: log.info(), ""),
    "a mute": (lambda log: log.info("of %s", Mute()), "of %s <Mute that has no repr>"),
    "no text": (lambda log: log.info({"a": 1}, 2), "{'a': 1} 2"),
    "the name of an argument": (lambda log: log.info("x", event="y", method_name="POST"), "x"),
    "in exception": (lambda log: log.exception("%d", "x"), "%d x"),
    "in log": (lambda log: log.log(20, "%d", "x"), "20 %d x"),
    "an unknown level": (lambda log: log.log(21, "x"), "21 x"),
    "after bind": (lambda log: log.bind(more=1).warning("%d", "x"), "%d x"),
}


class TestWrongCalls:
    """A log call never raises: what can be said is logged, and what was wrong."""

    @pytest.mark.parametrize("style", ["json", "console"])
    @pytest.mark.parametrize("name", WRONG)
    def test_the_line_comes_out(self, name: str, style: str) -> None:
        """With the event, its arguments, the values, and the error."""
        call, event = WRONG[name]
        with logging(style) as (log, read):
            call(log.structlog.bind(bound="yes"))
            text = read().decode()
        assert text.count("\n") == 1
        assert all(word in text for word in (event, "bound", "yes", "wrong_log_call", "Error"))
        if style == "json":
            assert json.loads(text)["event"] == event

    def test_the_values_stay(self) -> None:
        """Under their names, unless those mean something to the logger."""
        with logging() as (log, read):
            values: dict[str, Any] = {"step": 3, "event": "y"}
            log.structlog.warning("%d", "x", **values)
            line = json.loads(read())
        assert (line["level"], line["step"], line["event_"]) == ("warning", 3, "y")

    def test_what_is_below_the_level_is_not_logged(self) -> None:
        """However wrong it is."""
        with logging(level="warning") as (log, read):
            log.structlog.info("%d", "x")
            assert read() == b""


class TestLevels:
    """What is logged at all."""

    @pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
    def test_what_is_below_the_level_is_not_logged(self, level: str) -> None:
        """Of the levels those at and above the set one come out, however they are logged."""
        with logging(level=level) as (log, read):
            for name in LEVELS:
                log.event(name, "direct")
                getattr(log.structlog, name)("through structlog")
            levels = [json.loads(line)["level"] for line in read().splitlines()]
        expected = [name for name in LEVELS if LEVELS[name] >= LEVELS[level]]
        assert levels == [name for name in expected for _ in range(2)]


class TestStyle:
    """Which form it is."""

    def test_a_terminal_gets_the_console_form(self, tmp_path: Path) -> None:
        """Without a setting a terminal is for people, all else for machines."""
        terminal = pty.openpty()
        with (tmp_path / "log").open("wb") as file:
            styles = [
                Log(fd, "info", style).console
                for fd in (terminal[1], file.fileno())
                for style in (None, "json", "console")
            ]
        for fd in terminal:
            os.close(fd)
        assert styles == [True, False, True, False, False, True]


class TestSecrets:
    """What is redacted out."""

    @pytest.mark.parametrize("style", ["json", "console"])
    def test_texts_are_redacted(self, style: str) -> None:
        """Event, values and tracebacks go through the function that takes secrets out."""
        with logging(style, redact=lambda text: text.replace("s3cret", "***")) as (log, read):
            log.event("info", "the s3cret is out", value="s3cret")
            try:
                raise ValueError("s3cret")
            except ValueError:
                log.structlog.exception("s3cret")
            text = read()
        assert b"s3cret" not in text
        assert text.count(b"***") >= 4


class TestWriting:
    """Where lines go."""

    def test_a_line_is_one_write(self) -> None:
        """Even the longest line reaches a pipe in one piece, so that processes can share it."""
        reading, writing = os.pipe()
        log = Log(writing, "info", "json")
        for _ in range(3):
            log.event("info", "x" * 10_000)
        lines = os.read(reading, 3 * MAX_LINE).splitlines(keepends=True)
        assert [json.loads(line)["level"] for line in lines] == ["info"] * 3
        assert os.fpathconf(writing, "PC_PIPE_BUF") >= MAX_LINE
        os.close(reading)
        log.event("info", "nobody reads")  # SIGPIPE is ignored, and so is the error
        os.close(writing)

    def test_a_closed_log_is_silent(self) -> None:
        """Where nothing can be written nothing is raised."""
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
            log = Log(fd, "info", "json")
        os.close(fd)
        log.event("error", "lost")


def test_an_error_is_formatted_with_its_trace() -> None:
    """A traceback as one text, without a newline at its end."""
    try:
        raise ValueError("the cause")
    except ValueError as error:
        text = format_error(error)
    assert text.startswith("Traceback (most recent call last):\n")
    assert text.endswith("\nValueError: the cause")


def test_secrets_are_redacted_out_of_nested_values(tmp_path: Path) -> None:
    """Wherever in a value a secret stands, also in one that holds itself, the line has stars."""
    path = tmp_path / "log"
    with path.open("wb") as file:
        log = Log(file.fileno(), "info", "json", lambda text: text.replace("hunter2", "***"))
        log.event("info", "login", data={"user": "me", "words": ["hunter2", 1, None]})
        endless: dict[str, object] = {"word": "hunter2"}
        endless["self"] = endless
        log.event("info", "login", data=endless)
    first, second = path.read_text().splitlines()
    assert json.loads(first)["data"] == {"user": "me", "words": ["***", 1, None]}
    assert "hunter2" not in second
