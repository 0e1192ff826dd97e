"""Exceptions and values of a plugin in words: whatever their classes do, nothing is raised."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.properties import tried

from modulehost import Cancelled, ModuleError
from modulehost.shared import describe
from modulehost.shared.errors import MAX_REASON


class OddText(str):
    """A text whose methods lie."""

    __slots__ = ()

    def __str__(self) -> str:
        return self

    def __len__(self) -> int:
        raise SystemExit

    def isprintable(self) -> bool:
        raise KeyboardInterrupt


def _raises(error: type[BaseException]) -> Any:
    def method(*_: object, **__: object) -> Any:
        raise error

    return method


_ERRORS = st.sampled_from([ValueError, SystemExit, KeyboardInterrupt, RecursionError, MemoryError])
_VALUES = st.one_of(
    st.none(), st.text(), st.text().map(OddText), st.integers(), st.builds(object), st.just(dict)
)
_METHODS = st.sampled_from(
    ["__str__", "__repr__", "__bool__", "__eq__", "__hash__", "__len__", "__format__", "__dir__"]
)
_ATTRIBUTES = st.sampled_from(
    [
        *("__class__", "__traceback__", "__cause__", "__context__", "__notes__", "__dict__"),
        *("__suppress_context__", "__module__", "args", "code", "name", "msg", "filename"),
        *("lineno", "exceptions"),
    ]
)


@st.composite
def odd_errors(draw: st.DrawFn) -> BaseException:
    """An exception whose class does at random places what it likes."""
    members: dict[str, Any] = {}
    for name in draw(st.lists(_METHODS, max_size=4)):
        value = draw(_VALUES)
        lie = lambda *_, value=value: value  # noqa: E731
        members[name] = draw(st.sampled_from([_raises(draw(_ERRORS)), lie]))
    for name in draw(st.lists(_ATTRIBUTES, max_size=4)):
        value = draw(_VALUES)
        shown = property(lambda _, value=value: value)  # type: ignore[misc]
        members[name] = draw(st.sampled_from([property(_raises(draw(_ERRORS))), shown]))
    members.setdefault("__hash__", object.__hash__)
    meta = type("Meta", (type,), draw(st.sampled_from([{}, {
        "__name__": property(_raises(ValueError)), "__module__": property(_raises(ValueError)),
        "__instancecheck__": _raises(SystemExit), "__getattribute__": _raises(SystemExit),
    }])))  # fmt: skip
    base = draw(
        st.sampled_from([Exception, ModuleError, Cancelled, SyntaxError, SystemExit, KeyError])
    )
    kind = meta(draw(st.sampled_from(["Odd", "", "Two\nlines"])), (base,), members)
    made: BaseException = BaseException.__new__(kind, draw(st.text()))
    return made


@tried
@given(odd_errors())
def test_any_exception_is_described(error: BaseException) -> None:
    """As plain text; a reason is one line that is not empty, and not too long."""
    reason = describe.reason_of(error)
    assert type(reason) is str
    assert 0 < len(reason) <= MAX_REASON
    assert reason.isprintable()
    for text in (
        describe.traceback_of(error),
        describe.place_of(error, "plugin"),
        describe.type_name(error),
        describe.text_of(error),
    ):
        assert type(text) is str


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (KeyError("replicas"), "KeyError: 'replicas'"),
        (SystemExit(1), "SystemExit: 1"),
        (ValueError(), "ValueError"),
        (ValueError(" \n "), "ValueError"),
        (ModuleError("the database refuses us"), "the database refuses us"),
        (ModuleError(), "ModuleError"),
        (Cancelled("its deadline passed"), "its deadline passed"),
        (type("Ours", (ModuleError,), {})("an heir"), "an heir"),
        (OSError(2, "No such file", "/x"), "FileNotFoundError: [Errno 2] No such file: '/x'"),
    ],
)
def test_a_reason_begins_with_the_type_but_for_what_is_meant_for_people(
    error: BaseException, words: str
) -> None:
    """ModuleError and Cancelled speak for themselves."""
    assert describe.reason_of(error) == words


def test_a_long_text_costs_no_more_than_a_short_one() -> None:
    """A text of a hundred million characters is cut before it is looked at."""
    assert len(describe.reason_of(ValueError("x" * 10**8))) == MAX_REASON


def test_a_place_is_the_innermost_of_the_package_seen_from_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not where a library that it calls has raised."""
    folder = tmp_path / "shop_of_test"
    folder.mkdir()
    (folder / "__init__.py").write_text("from shop_of_test import manager\n")
    (folder / "manager.py").write_text("import json\n\n\njson.loads('{')\n")
    (tmp_path / "shop_with_mistake.py").write_text(
        textwrap.dedent("""
        def f(:
    """)
    )
    monkeypatch.syspath_prepend(tmp_path)
    for name, place in (
        ("shop_of_test", "shop_of_test/manager.py, line 4"),
        ("shop_with_mistake", "shop_with_mistake.py, line 2"),
    ):
        with pytest.raises((ValueError, SyntaxError)) as caught:
            __import__(name)
        assert describe.place_of(caught.value, name) == place
        assert describe.place_of(caught.value, "another") in (place, "")
    for name in [n for n in sys.modules if n.startswith("shop_")]:
        del sys.modules[name]


def test_a_traceback_begins_with_the_plugin() -> None:
    """The frames of the host, of pluggy and of importlib above it are left out."""
    try:
        __import__("importlib").import_module("surely_not_there")
    except ImportError as error:
        text = describe.traceback_of(error)
    assert text.startswith("Traceback (most recent call last):")
    assert __file__ in text
