"""The Modules that ``modulehost definition`` makes are what the operator's CRD takes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pluggy
import pytest
import yaml
from hypothesis import given
from support import site
from support.cli import run
from support.properties import tried
from support.schemas import schemas

from modulehost.local.schema import MODULE, drop_unknown, fill_in, problems
from modulehost.plugin.config import Schema
from modulehost.plugin.definition import Asked, make
from modulehost.plugin.definition_yaml import to_yaml
from modulehost.plugin.discovery import Found, Plugin

FOUND = Found("shop", "shop:Manager", "modulehost", "1.0", "A shop")


@pytest.fixture(scope="module")
def schema(crd: dict[str, Any]) -> dict[str, Any]:
    """The schema of a Module in the operator's CRD."""
    found: dict[str, Any] = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return found


def refusals(text: str, schema: dict[str, Any]) -> list[str]:
    """Why the API server would not take the Module, or what it would drop of it."""
    module = yaml.safe_load(text)
    unknown = [place for place, _ in drop_unknown(module, schema)]
    fill_in(module, schema)
    return [problem.partition(":")[0] for problem in problems(module, schema)] + unknown


@pytest.mark.parametrize(
    ("plugin", "config"),
    [
        ("example", ["namespace=shop", "appName=blog", "replicas=3"]),
        ("command", []),
        ("configured", ["appName=web", "replicas=2", "cpuShare=0.5", "zones=north"]),
    ],
)
def test_the_operators_crd_takes_the_module(
    schema: dict[str, Any], tmp_path: Path, plugin: str, config: list[str]
) -> None:
    """As the command prints it, with and without values."""
    site.install(tmp_path, "configured")
    for values in ([], ["--config", *config] if config else []):
        result = run("definition", plugin, *values, PYTHONPATH=tmp_path)
        assert result.returncode == 0, result.stderr
        assert refusals(result.stdout, schema) == []


def test_the_check_can_fail(schema: dict[str, Any]) -> None:
    """A type that the operator does not have, a bound that is none, no image."""
    printed = run("definition", "example").stdout
    assert refusals(printed.replace("  integer:", "  float:"), schema) == ["config[2].float"]
    assert refusals(printed.replace("min: 1", "min: 1.5"), schema) == ["config[2].integer.min"]
    assert refusals(printed.replace("image:", "picture:"), schema) == [
        "spec.custom",
        "spec.custom.picture",
    ]


@tried
@given(config=schemas())
def test_it_takes_the_module_of_any_schema(
    schema: dict[str, Any], config: type[msgspec.Struct]
) -> None:
    """Whatever the author has written, a Module of it can be applied."""
    plugin = Plugin(
        FOUND, pluggy.PluginManager("shop"), Schema(config), ("controller",), {}, has_health=True
    )
    assert refusals(to_yaml(make(plugin, Asked()).document), schema) == []


@pytest.mark.parametrize(
    ("plugin", "config"),
    [("example", ["namespace=shop", "replicas=3"]), ("configured", ["appName=web", "replicas=2"])],
)
def test_the_module_lives_on_ones_own_machine(
    tmp_path: Path, plugin: str, config: list[str]
) -> None:
    """It goes as it is printed through install, sleep, resume and uninstall."""
    site.install(tmp_path / "site", "configured")
    path = tmp_path / "site"
    printed = run("definition", plugin, "--config", *config, PYTHONPATH=path)
    assert printed.returncode == 0, printed.stderr
    (tmp_path / "module.yaml").write_text(printed.stdout)
    command = [sys.executable, "-m", "modulehost", "local", "run", "-f", "module.yaml"]
    environ = {**os.environ, "PYTHONPATH": str(path), "EXAMPLE_DIR": str(tmp_path / "example")}
    result = subprocess.run(
        [*command, "--plugin", plugin],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "lived its whole life" in result.stdout


SHAPE = ("type", "default", "enum", "minLength", "maxLength", "minItems", "pattern")


def shape(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, object]]:
    """What a schema holds a document to, by place."""
    yield path, {key: schema[key] for key in SHAPE if key in schema}
    if path in ("metadata", "status", "spec.helm"):
        return
    for key, part in schema.get("properties", {}).items():
        yield from shape(part, f"{path}.{key}".lstrip("."))
    if "items" in schema:
        yield from shape(schema["items"], f"{path}[]")


def needed(schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """What must be given, since it has no default; the rest is always there."""
    properties = schema.get("properties", {})
    if path in ("metadata", "status", "spec.helm"):
        return
    for key in schema.get("required", ()):
        if "default" not in properties[key]:
            yield f"{path}.{key}".lstrip(".")
    for key, part in properties.items():
        yield from needed(part, f"{path}.{key}".lstrip("."))
    if "items" in schema:
        yield from needed(schema["items"], f"{path}[]")


def test_our_description_of_a_module_is_that_of_the_crd(schema: dict[str, Any]) -> None:
    """Types, bounds, defaults and what is required, of all that a custom module may have."""
    assert dict(shape(MODULE)) == dict(shape(schema))
    assert sorted(needed(MODULE)) == sorted(needed(schema))
