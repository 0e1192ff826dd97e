"""Reasons: one line for the person who must act."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.properties import tried

from modulehost.shared import errors
from modulehost.shared.errors import MAX_REASON, HostError, one_line

ANY_TEXT = st.text(st.characters(codec=None))
"""Lone surrogates, too."""


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ""),
        ("plain", "plain"),
        ("  two\n\tlines \r\n", "two lines"),
        ("\x1b[31mred\x1b[0m", "[31mred [0m"),
        ("a\x00b\x7fc\u2028d\u202ee", "a b c d e"),
        ("a\ud800b", "a b"),
        ("Grüße, 世界 🙂", "Grüße, 世界 🙂"),
    ],
)
def test_a_reason_is_one_line(text: str, line: str) -> None:
    """Lines are joined, what a terminal would obey is a blank, all else stays."""
    assert one_line(text) == line


def test_a_long_reason_is_cut() -> None:
    """Just the longest reason stays whole; a longer one ends in an ellipsis."""
    assert one_line("x" * MAX_REASON) == "x" * MAX_REASON
    assert one_line("x" * (MAX_REASON + 1)) == "x" * (MAX_REASON - 1) + "…"


@tried
@given(ANY_TEXT, st.integers(1, 30))
def test_any_text_becomes_a_reason(text: str, limit: int) -> None:
    """Whatever it is: printable, in UTF-8, on one line, not too long, and stable."""
    line = one_line(text, limit)
    assert line.isprintable()
    assert len(line) <= limit
    assert line == line.strip()
    assert line.encode().decode() == line
    assert one_line(line, limit) == line


@pytest.mark.parametrize(
    "kind",
    [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, HostError)
    ],
)
def test_every_error_of_the_host_is_one_line(kind: type[HostError]) -> None:
    """Whoever raises it with whatever text: what is answered is a reason."""
    assert str(kind("two\nlines")) == "two lines"


def test_errors_of_plugins_are_not_the_hosts() -> None:
    """What hooks raise is told apart from what the host itself finds, and keeps its text."""
    for kind in (errors.ModuleError, errors.Cancelled):
        assert not issubclass(kind, HostError)
        assert str(kind("two\nlines")) == "two\nlines"


@pytest.mark.parametrize("kind", [errors.SettingError, errors.PluginError, errors.ConfigError])
def test_what_keeps_a_plugin_from_being_called_is_known(kind: type[HostError]) -> None:
    """An uninstall with nothing to clean up succeeds in spite of these."""
    assert issubclass(kind, errors.NotCallableError)
