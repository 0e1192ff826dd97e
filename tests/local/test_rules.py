"""The values of a config, as the operator looks at them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from support.properties import VALUES, tried
from support.schemas import schemas

from modulehost.local import rules
from modulehost.local.items import NewItem, OldItem
from modulehost.plugin.config import Schema
from modulehost.plugin.definition import Described

_OLD_TYPES = {"multipleOptions": "multiple-options"}


def new_refusal(kind: str, rule: dict[str, Any], *value: Any) -> str:
    """What the newer format says to a value, or to none."""
    item = msgspec.convert({"name": "It", "alias": "it", kind: rule}, NewItem)
    return rules.refusal([item], {"it": value[0]} if value else {}, is_old=False)


def old_refusal(kind: str, rule: dict[str, Any], *value: Any) -> str:
    """What the older format says to a value, or to none."""
    kind = _OLD_TYPES.get(kind, kind)
    item = msgspec.convert({"type": kind, "name": "It", "alias": "it", "spec": rule}, OldItem)
    return rules.refusal([item], {"it": value[0]} if value else {}, is_old=True)


BOTH = [
    ("integer", {"min": 1, "max": 3}, 2, ""),
    ("integer", {"min": 1, "max": 3}, 0, "value 0 is less than minimum 1"),
    ("integer", {"min": 1, "max": 3}, 4, "value 4 is greater than maximum 3"),
    ("integer", {"min": 1, "max": 3}, 2.7, ""),
    ("integer", {"max": 3}, 3.9, ""),
    ("integer", {}, "3", "input is not an integer"),
    ("integer", {}, True, "input is not an integer"),
    ("integer", {}, None, "input is not an integer"),
    ("boolean", {}, False, ""),
    ("boolean", {}, 0, "input is not a boolean"),
    ("string", {}, "", ""),
    ("string", {}, 7, "input is not a string"),
    ("string", {"regex": "b"}, "abc", ""),
    ("string", {"regex": "^b$"}, "abc", "value 'abc' does not match the required regex pattern"),
    ("string", {"regex": r"^\d$"}, "\u0663", "value '\u0663' does not match the required"),
    ("string", {"regex": "(?=a)"}, "a", "invalid regex pattern: the operator cannot read its"),
    ("option", {"values": ["s", "l"]}, "s", ""),
    ("option", {"values": ["s", "l"]}, "m", "invalid value 'm', must be one of [s l]"),
    ("option", {"values": ["s", "l"]}, 1, "input is not a string"),
]


@pytest.mark.parametrize(("kind", "rule", "value", "words"), BOTH)
def test_both_formats_agree_on_most(
    kind: str, rule: dict[str, Any], value: Any, words: str
) -> None:
    """The operator's words, with where they are said."""
    new, old = new_refusal(kind, rule, value), old_refusal(kind, {**rule, "editable": True}, value)
    if not words:
        assert (new, old) == ("", "")
    else:
        assert new.startswith(f'failed to validate {kind} config for alias "it": {words}')
        where = "failed to validate configuration: validation failed for field 'it': "
        assert old.startswith(f"{where}{words}")


@pytest.mark.parametrize("kind", ["integer", "boolean", "string"])
def test_what_is_required_must_be_given(kind: str) -> None:
    """Also where there is a default."""
    default = {"integer": 1, "boolean": True, "string": "x"}[kind]
    rule = {"required": True, "default": default}
    assert new_refusal(kind, rule) == (
        f'failed to validate {kind} config for alias "it": a value is required for this {kind}'
        " field"
    )
    assert old_refusal(kind, rule) == (
        "failed to validate configuration: field 'it' is required but missing"
    )
    assert new_refusal(kind, {"default": default}) == ""


def test_what_is_not_editable_takes_no_value() -> None:
    """Not even its default. In the older format that is so where nothing is said."""
    assert "this string field is not editable" in new_refusal("string", {"editable": False}, "x")
    assert "field 'it' is not editable" in old_refusal("string", {}, "x")
    assert new_refusal("string", {"editable": False}) == ""


def test_lists_of_options_take_no_value_in_the_newer_format() -> None:
    """Whatever it is: the operator looks for a type that JSON never gives."""
    rule = {"values": ["a", "b"], "editable": True}
    assert new_refusal("multipleOptions", rule, ["a"]) == (
        'failed to validate multiple options config for alias "it": input is not an string array'
    )
    assert new_refusal("multipleOptions", rule) == ""
    assert old_refusal("multipleOptions", rule, ["a", "b"]) == ""


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("a", "input is not an array"),
        ([], "must select at least 1 options"),
        (["a", "a", "b"], "must select at most 2 options"),
        ([1], "all options must be strings"),
        (["c"], "invalid option 'c', must be one of [a b]"),
    ],
)
def test_lists_of_options_are_looked_at_in_the_older_format(value: Any, words: str) -> None:
    """Their number and each of them."""
    rule = {"values": ["a", "b"], "editable": True, "min": 1, "max": 2}
    assert old_refusal("multipleOptions", rule, value).endswith(words)


def test_options_of_the_older_format_are_texts_whatever_they_look_like() -> None:
    """As Go reads them: YAML takes some for numbers or booleans."""
    rule = {"values": [21, 1.5, True, "x"], "editable": True, "regex": None}
    for value in ("21", "1.5", "true", "x"):
        assert old_refusal("option", rule, value) == ""
    assert old_refusal("option", rule, 21).endswith("input is not a string")
    assert old_refusal("multipleOptions", rule, ["y"]).endswith("must be one of [21 1.5 true x]")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.5, ""),
        (1, ""),
        (1.5, "value 1.500000 is greater than maximum 1.000000"),
        (-1, "value -1.000000 is less than minimum 0.000000"),
        ("1", "input is not a float"),
    ],
)
def test_floats_are_of_the_older_format(value: Any, words: str) -> None:
    """The newer one has none."""
    assert old_refusal("float", {"min": 0, "max": 1, "editable": True}, value).endswith(words)
    assert new_refusal("float", {}, value) == 'unknown config type for alias "it"'


def test_unknown_keys_are_refused_by_the_older_format_alone() -> None:
    """Either way the author is asked what was meant."""
    new = msgspec.convert({"name": "It", "alias": "copies", "integer": {}}, NewItem)
    values = {"copeis": 2}
    assert rules.refusal([new], values, is_old=False) == ""
    assert rules.refusal([], values, is_old=True) == (
        "failed to validate configuration: unknown field 'copeis' provided in input"
    )
    assert rules.notes([new], values) == [
        "spec.config: there is no item copeis; did you mean copies?"
    ]
    assert rules.notes([new], {"x": 1}) == ["spec.config: there is no item x; there are copies"]
    assert rules.notes([], {"x": 1}) == []


def test_a_regex_that_only_go_reads_is_told() -> None:
    """The value passes, since nobody can say that it does not."""
    item = msgspec.convert({"name": "", "alias": "it", "string": {"regex": r"\pL"}}, NewItem)
    assert rules.refusal([item], {"it": "x"}, is_old=False) == ""
    assert rules.notes([item], {"it": "x"}) == [
        "it: its regex is not looked at here: Python cannot read it"
    ]


@pytest.mark.slow
@tried
@given(config=schemas(), value=VALUES)
def test_any_schema_can_be_asked(config: type[msgspec.Struct], value: Any) -> None:
    """What ``modulehost definition`` makes is read, and any value has an answer of one line."""
    for item in Schema(config).items:
        one = Described(item)
        new_kind = one.kind[1]
        rule = msgspec.to_builtins(one.spec)
        old = old_refusal(one.kind[0], rule, value)
        assert old == "" or old.startswith("failed to validate configuration: ")
        if new_kind:
            new = new_refusal(new_kind, rule, value)
            assert new == "" or new.startswith("failed to validate ")
            assert one.editable or new
