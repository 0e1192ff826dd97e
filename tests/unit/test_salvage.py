"""Metadata that cannot be kept: what is journaled of it, and what is beneath a plugin's classes."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.properties import METADATA, NUMBERS, TEXTS, same, tried

from modulehost.shared.metadata import canonical, decode, encode, restore
from modulehost.shared.records import MetadataText
from modulehost.shared.salvage import plain_copy, salvage, salvage_within


def circle() -> dict[str, Any]:
    """An object that contains itself."""
    made: dict[str, Any] = {}
    made["again"] = made
    return made


def nested(levels: int) -> Any:
    """An array that many levels deep."""
    inner: Any = 1
    for _ in range(levels):
        inner = [inner]
    return inner


def restored(text: bytes) -> dict[str, Any]:
    """What is read of a text that is no JSON."""
    return restore(MetadataText(text, is_json=False))


def salvaged(metadata: object) -> dict[str, Any]:
    """What comes back of metadata."""
    return restored(salvage(metadata) or b"")


def fail(*_: object, **__: object) -> Any:
    """In place of a method."""
    raise SystemExit


HEIRS = {
    kind: type(f"{kind.__name__}s_heir", (kind,), dict.fromkeys(names, fail))
    for kind, names in {
        dict: ("__iter__", "__getitem__", "__len__", "__eq__", "items", "keys", "values", "get"),
        list: ("__iter__", "__getitem__", "__len__", "__eq__"),
        str: ("__str__", "__iter__", "__len__", "__repr__", "encode"),
        int: ("__abs__", "__add__", "__index__", "__int__", "__repr__", "__str__", "__eq__"),
        float: ("__add__", "__float__", "__repr__", "__eq__", "is_integer"),
    }.items()
}
"""Classes of a plugin that fail at whatever they are asked."""


def disguised(value: Any) -> Any:
    """The value, every part of it of a class that fails."""
    if isinstance(value, dict):
        value = {key: disguised(item) for key, item in value.items()}
    elif isinstance(value, list):
        value = list(map(disguised, value))
    return HEIRS[type(value)](value) if type(value) in HEIRS else value


@pytest.mark.parametrize(
    "value", [float("inf"), float("-inf"), 2**60, -(2**60), "\ud800", "a\udc00b", {"\ud800": 1}]
)
def test_what_json_does_not_know_comes_back(value: Any) -> None:
    """Infinity, large integers and lone surrogates are given to uninstall as they were."""
    metadata = {"bad": value, "good": [1, {"a": "b"}]}
    assert salvaged(metadata) == metadata


def test_nan_comes_back() -> None:
    """NaN, which equals nothing, too."""
    back = salvaged({"bad": float("nan")})
    assert repr(back) == "{'bad': nan}"


def test_objects_come_back_as_their_text() -> None:
    """What is no JSON at all is kept as str() has it."""
    metadata = {"day": datetime.date(2025, 10, 14), "names": ("a", "b"), "good": 1}
    back = {"day": "2025-10-14", "names": ["a", "b"], "good": 1}
    assert salvaged(metadata) == back


def test_keys_that_are_no_text_come_back_as_one() -> None:
    """As JSON has them where it has a form, else as str() has them."""
    metadata: Any = {1: "one", "good": [2], ("a", "b"): "pair", None: 0, 0.5: "half"}
    back = salvaged(metadata)
    assert back == {"1": "one", "good": [2], "('a', 'b')": "pair", "null": 0, "0.5": "half"}


@pytest.mark.parametrize(
    ("value", "there"),
    [
        (circle(), '{"again":'),
        (nested(100_000), "[[[["),
        (type("Silent", (), {"__str__": fail})(), '"<Silent>"'),
        (type("Rude", (), {"__class__": property(fail), "__str__": fail})(), '"<Rude>"'),
        (10**5000, '"0x'),
    ],
    ids=["a circle", "an abyss", "no text", "no class", "a long integer"],
)
def test_what_cannot_be_written_does_not_take_the_rest_along(value: Any, there: str) -> None:
    """A word stands in its place."""
    text = salvage({"bad": value, "good": 1})
    assert text is not None
    assert restored(text)["good"] == 1
    assert there in text.decode().replace(" ", "")


def test_without_a_way_to_write_it_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is raised, whatever was done to the standard library."""
    monkeypatch.setattr(json, "dumps", fail)
    assert salvage({}) is None


@tried
@given(METADATA)
def test_good_metadata_is_restored_from_every_form(metadata: dict[str, Any]) -> None:
    """What encode, canonical and salvage write is read again as it was."""
    assert same(salvaged(metadata), metadata)
    assert same(decode(encode(metadata, 1 << 30)), metadata)
    assert same(decode(canonical(json.dumps(metadata).encode())), metadata)


@tried
@given(st.dictionaries(TEXTS, NUMBERS | st.text(st.characters(categories=["Cs"]), max_size=1)))
def test_bad_metadata_is_restored(metadata: dict[str, Any]) -> None:
    """Lone surrogates among good values change none of them."""
    assert same(salvaged(metadata), metadata)


@tried
@given(METADATA)
def test_a_copy_is_what_there_is_beneath_all_classes(metadata: dict[str, Any]) -> None:
    """Encoded, it is the same as the metadata without those classes."""
    assert encode(plain_copy(disguised(metadata)), 1 << 30) == encode(metadata, 1 << 30)
    assert same(salvaged(disguised(metadata)), metadata)


@tried
@given(st.recursive(st.builds(object) | st.binary() | st.floats() | st.integers(), st.lists))
def test_salvage_never_raises(value: object) -> None:
    """Whatever is in the metadata."""
    text = salvage({"value": value})
    assert text is not None
    assert restored(text).keys() == {"value"}


@tried
@given(METADATA, st.integers(0, 200))
def test_what_does_not_fit_is_left_out_by_name(metadata: dict[str, Any], most: int) -> None:
    """The largest items go first; the text is never longer than asked, but for an empty object."""
    text, dropped = salvage_within(metadata, most)
    assert text is not None
    assert len(text) <= max(most, len(b"{}"))
    kept = restored(text)
    assert same(kept, {key: metadata[key] for key in kept})
    assert sorted([*kept, *dropped]) == sorted(metadata)
