"""What ``local run`` prints of the metadata."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.properties import METADATA, same, tried

from modulehost.local.diff import changes, leaves


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        ({}, {"nodes": [{"id": "x"}]}, ['+ nodes[0].id: "x"']),
        ({"replicas": 3}, {"replicas": 0}, ["- replicas: 3", "+ replicas: 0"]),
        ({"a": {"b": 1}, "c": 2}, {"c": 2}, ["- a.b: 1"]),
        ({"a": []}, {"a": [None]}, ["- a: []", "+ a[0]: null"]),
        ({"a": {"0": 1}}, {"a": [1]}, ['- a["0"]: 1', "+ a[0]: 1"]),
        ({}, {"app.kubernetes.io/name": True}, ['+ ["app.kubernetes.io/name"]: true']),
        ({}, {"x": "\x1b[31m\u202e"}, ['+ x: "\\u001b[31m\\u202e"']),
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": True}, ["- a: 1", "+ a: true"]),
    ],
)
def test_changes_are_lines(before: dict[str, Any], after: dict[str, Any], lines: list[str]) -> None:
    """A line a value, by its path; a value that is another now is two."""
    assert [str(change) for change in changes(before, after)] == lines


def test_long_values_are_cut() -> None:
    """A line stays one that can be read."""
    [line] = map(str, changes({}, {"log": "x" * 1000}))
    assert len(line) < 120
    assert line.endswith("…")


@pytest.mark.slow
@tried
@given(before=METADATA, after=METADATA)
def test_nothing_is_missed_and_nothing_made_up(before: Any, after: Any) -> None:
    """There is a line just when something differs; taken and added they lead to the other."""
    found = changes(before, after)
    if same(before, after) and str(before) == str(after):
        assert found == []
    state = dict(leaves(before))
    for change in found:
        if change.sign == "-":
            assert state.pop(change.path) == change.value
        else:
            state[change.path] = change.value
    assert state == dict(leaves(after))


@tried
@given(value=METADATA, other=METADATA)
def test_different_metadata_have_different_leaves(value: Any, other: Any) -> None:
    """No two places have the same path."""
    paths = [path for path, _ in leaves(value)]
    assert len(paths) == len(set(paths))
    if dict(leaves(value)) == dict(leaves(other)):
        assert same(value, other)


@tried
@given(value=st.dictionaries(st.text(max_size=9), st.text(max_size=9)))
def test_a_terminal_obeys_none_of_it(value: Any) -> None:
    """Every line is printable."""
    assert all(str(change).isprintable() for change in changes({}, value))
