"""``module.toml``: the settings of a module, and what is told when it is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from modulehost import ModuleError
from modulehost.plugin.config import Schema
from modulehost.shared.errors import ConfigError
from modulehost_command import Commands, Manager
from modulehost_command.declaration import Declaration, read

ALL = """
[config.name]
type = "string"
regex = "^[a-z]+$"
name = "Name of it"
description = "What it is called"
editable = false

[config.token]
type = "string"
secret = true
required = false

[config.replicas]
type = "integer"
default = 1
min = 1
max = 10

[config.ratio]
type = "float"
default = 1
max = 2.5

[config.loud]
type = "boolean"
default = false

[config.tier]
type = "option"
values = ["small", "large"]
default = "small"

[config.parts]
type = "multiple-options"
values = ["a", "b", "c"]
default = ["a", "b"]
min = 1
max = 2
"""


def declared(folder: Path, text: str) -> Declaration:
    """What the text declares."""
    (folder / "module.toml").write_text(text)
    found = read(str(folder))
    assert found is not None
    return found


def test_without_the_file_nothing_is_declared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The settings are the five commands, and the workspace is what the module works in."""
    assert read(str(tmp_path)) is None
    monkeypatch.setenv("COMMAND_DIR", str(tmp_path / "nowhere"))
    manager = Manager()
    assert (manager.config, manager.permissions, manager.deadlines) == (
        Commands,
        ("workspace",),
        {},
    )


def test_the_manager_has_what_the_file_declares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings, permissions and deadlines: what a module in Python has as attributes."""
    text = 'permissions = ["controller"]\ndeadlines = { install = 1800, sleep = 0.5 }\n' + ALL
    (tmp_path / "module.toml").write_text(text)
    monkeypatch.setenv("COMMAND_DIR", f"{tmp_path}/")
    manager = Manager()
    assert manager.permissions == ("controller",)
    assert manager.deadlines == {"install": 1800, "sleep": 0.5}
    aliases = [item.alias for item in Schema(manager.config).items]
    assert aliases == ["name", "token", "replicas", "ratio", "loud", "tier", "parts"]


def test_an_empty_file_declares_no_settings(tmp_path: Path) -> None:
    """Not even the commands: what the folder holds is what runs."""
    found = declared(tmp_path, "")
    assert Schema(found.config).items == []
    assert (found.permissions, found.deadlines) == (("workspace",), {})


def test_all_types_are_types_of_the_host(tmp_path: Path) -> None:
    """With the words of the host for what each takes."""
    schema = Schema(declared(tmp_path, ALL).config)
    assert schema.problems() == []
    assert {item.alias: item.takes for item in schema.items} == {
        "name": "text matching '^[a-z]+$'",
        "token": "text",
        "replicas": "an integer of at least 1 and of at most 10",
        "ratio": "a number of at most 2.5",
        "loud": "true or false",
        "tier": "one of large, small",
        "parts": "a list of a, b, c",
    }
    assert [item.alias for item in schema.items if item.required] == ["name"]
    assert [item.alias for item in schema.items if item.secret] == ["token"]
    assert [item.alias for item in schema.items if not item.extra["editable"]] == ["name"]
    assert schema.items[0].title == "Name of it"


def test_defaults_are_filled_in(tmp_path: Path) -> None:
    """Each module has its own: a list is not shared."""
    schema = Schema(declared(tmp_path, ALL).config)
    first, _ = schema.convert({"name": "a"})
    other, _ = schema.convert({"name": "a"})
    values: dict[str, Any] = {name: getattr(first, name) for name in first.__struct_fields__}
    assert values == {
        "name": "a", "token": None, "replicas": 1, "ratio": 1.0, "loud": False, "tier": "small",
        "parts": ["a", "b"],
    }  # fmt: skip
    values["parts"].append("c")
    assert other == schema.convert({"name": "a"})[0]


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({}, "name: missing"),
        ({"name": "A"}, "name: it takes text matching"),
        ({"name": "a", "replicas": 11}, "replicas: it takes an integer"),
        ({"name": "a", "ratio": 3}, "ratio: it takes"),
        ({"name": "a", "tier": "huge"}, "tier: it takes one of large, small"),
        ({"name": "a", "parts": []}, "parts: it takes"),
        ({"name": "a", "parts": ["a", "b", "c"]}, "parts: it takes"),
    ],
)
def test_values_that_do_not_fit_are_refused(
    tmp_path: Path, values: dict[str, Any], problem: str
) -> None:
    """By the host, before a program is run."""
    schema = Schema(declared(tmp_path, ALL).config)
    with pytest.raises(ConfigError) as caught:
        schema.convert(values)
    assert problem in str(caught.value)


@pytest.mark.parametrize("alias", ["class", "self", "x9", "aB_c"])
def test_any_name_of_a_variable_is_the_name_of_a_setting(tmp_path: Path, alias: str) -> None:
    """Words of Python, too."""
    schema = Schema(declared(tmp_path, f'[config.{alias}]\ntype = "boolean"\n').config)
    config, unknown = schema.convert({alias: True})
    assert (getattr(config, alias), unknown) == (True, [])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a = ", "is not TOML: Invalid value (at end of document)"),
        ("a = '\\x'\n\xff", "is not TOML: "),
        ("[settings]", ": Object contains unknown field `settings`"),
        ('permissions = ["admin"]', ": Invalid enum value 'admin' - at `$.permissions[0]`"),
        ("deadlines = { health = 5 }", ": Invalid enum value 'health'"),
        ("deadlines = { install = 0 }", ": Expected `float` > 0.0"),
        ("config = 3", ": Expected `object`, got `int` - at `$.config`"),
        ("[config]\na = 3", ": config.a: it is no table; write it as [config.NAME]"),
        ("[config.a]", ": config.a: its type must be one of string, integer, float, boolean,"),
        ('[config.a]\ntype = "int"', ": config.a: its type must be one of string, integer"),
        ('[config.a-b]\ntype = "string"', ": config.a-b: a name must be letters, digits"),
        ('[config.a]\ntype = "integer"\nmim = 1', ": config.a: Object contains unknown field"),
        ('[config.a]\ntype = "boolean"\nmin = 1', ": config.a: Object contains unknown field"),
        ('[config.a]\ntype = "integer"\nmin = "1"', ": config.a: Expected `int | null`, got `str`"),
        ('[config.a]\ntype = "integer"\ndefault = "1"', ": config.a: its default does not fit: "),
        ('[config.a]\ntype = "integer"\ndefault = 1\nmin = 2', ": config.a: its default does not"),
        ('[config.a]\ntype = "option"', ": config.a: Object missing required field `values`"),
        ('[config.a]\ntype = "option"\nvalues = []', ": config.a: Expected `array` of length >= 1"),
        ('[config.a]\ntype = "string"\nregex = "("', ": config.a: its regex is none: missing )"),
        (
            '[config.a]\ntype = "string"\ndefault = ""\nrequired = true',
            ": config.a: it is required and has a default, but the operator",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_file_is_told(tmp_path: Path, text: str, problem: str) -> None:
    """With its path, the setting, and what it should be."""
    with pytest.raises(ModuleError) as caught:
        declared(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path}/module.toml")
    assert problem in str(caught.value)


def test_the_problems_of_all_settings_are_told_at_once(tmp_path: Path) -> None:
    """So that one look is enough."""
    with pytest.raises(ModuleError, match=r"config\.a: its type .*; config\.b: it is no table"):
        declared(tmp_path, "[config.a]\n[config]\nb = 3")


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """A folder in its place, for instance."""
    (tmp_path / "module.toml").mkdir()
    with pytest.raises(ModuleError, match=r"module\.toml cannot be read: Is a directory"):
        read(str(tmp_path))
