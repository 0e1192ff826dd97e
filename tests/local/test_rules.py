"""The values of a config, as the operator looks at them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from support.properties import VALUES, tried
from support.schemas import schemas

from modulehost.local import rules, schema
from modulehost.plugin.config import Schema
from modulehost.plugin.definition import Described


def item(kind: str, rule: dict[str, Any], alias: str = "it") -> dict[str, Any]:
    """An item as the API server holds it, its defaults filled in."""
    made = {"name": "It", "alias": alias, kind: dict(rule)}
    schema.fill_in(made, schema.MODULE["properties"]["config"]["items"])
    return made


def refusal(kind: str, rule: dict[str, Any], *value: Any) -> str:
    """What the operator says to a value, or to none."""
    return rules.refusal([item(kind, rule)], {"it": value[0]} if value else {})


VALUES_OF = [
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


@pytest.mark.parametrize(("kind", "rule", "value", "words"), VALUES_OF)
def test_a_value_is_looked_at(kind: str, rule: dict[str, Any], value: Any, words: str) -> None:
    """In the operator's words, with where they are said."""
    where = f'failed to validate {kind} config for alias "it": ' if words else ""
    found = refusal(kind, rule, value)
    assert found.startswith(where + words)
    assert found or not words


@pytest.mark.parametrize("kind", ["integer", "boolean", "string"])
def test_what_is_required_must_be_given(kind: str) -> None:
    """Also where there is a default."""
    default = {"integer": 1, "boolean": True, "string": "x"}[kind]
    assert refusal(kind, {"required": True, "default": default}) == (
        f'failed to validate {kind} config for alias "it": a value is required for this {kind}'
        " field"
    )
    assert refusal(kind, {"default": default}) == ""


def test_what_is_not_editable_takes_no_value() -> None:
    """Not even its default."""
    assert "this string field is not editable" in refusal("string", {"editable": False}, "x")
    assert refusal("string", {"editable": False}) == ""


def test_lists_of_options_take_no_value() -> None:
    """Whatever it is: the operator looks for a type that JSON never gives."""
    rule = {"values": ["a", "b"], "editable": True}
    assert refusal("multipleOptions", rule, ["a"]) == (
        'failed to validate multiple options config for alias "it": input is not an string array'
    )
    assert refusal("multipleOptions", rule) == ""


def test_an_item_without_a_type_is_refused() -> None:
    """A float, for example: the CRD has none, and the API server drops it."""
    assert rules.refusal([{"name": "It", "alias": "it"}], {"it": 0.5}) == (
        'unknown config type for alias "it"'
    )


def test_unknown_keys_pass_and_are_asked_about() -> None:
    """The operator passes them on."""
    copies = item("integer", {}, "copies")
    assert rules.refusal([copies], {"copeis": 2}) == ""
    assert rules.notes([copies], {"copeis": 2}) == [
        "spec.config: there is no item copeis; did you mean copies?"
    ]
    assert rules.notes([copies], {"x": 1}) == ["spec.config: there is no item x; there are copies"]
    assert rules.notes([], {"x": 1}) == []


def test_a_regex_that_only_go_reads_is_told() -> None:
    """The value passes, since nobody can say that it does not."""
    made = item("string", {"regex": r"\pL"})
    assert rules.refusal([made], {"it": "x"}) == ""
    assert rules.notes([made], {"it": "x"}) == [
        "it: its regex is not looked at here: Python cannot read it"
    ]


@pytest.mark.slow
@tried
@given(config=schemas(), value=VALUES)
def test_any_schema_can_be_asked(config: type[msgspec.Struct], value: Any) -> None:
    """What ``modulehost definition`` makes is read, and any value has an answer of one line."""
    for one in map(Described, Schema(config).items):
        if kind := one.kind[1]:
            found = refusal(kind, msgspec.to_builtins(one.spec), value)
            assert found == "" or found.startswith("failed to validate ")
            assert one.editable or found
