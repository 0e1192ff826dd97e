"""The Modules that ``modulehost definition`` makes are what the operator's CRD takes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pluggy
import pytest
import yaml
from e2e.test_deploy import fill_in, unknown
from hypothesis import given
from support import site
from support.cli import run
from support.properties import tried
from support.schemas import schemas

from modulehost.plugin.config import Schema
from modulehost.plugin.definition import Asked, make, to_yaml
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
    fill_in(module, schema)
    errors = jsonschema.Draft7Validator(schema).iter_errors(module)
    return [error.json_path for error in errors] + unknown(module, schema)


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
    assert refusals(printed.replace("min: 1", "min: 1.5"), schema) == ["$.config[2].integer.min"]
    assert refusals(printed.replace("image:", "picture:"), schema) == [
        "$.spec.custom",
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


@pytest.mark.parametrize("form", ["module", "custom"])
@pytest.mark.parametrize(
    ("plugin", "config"),
    [("example", ["namespace=shop", "replicas=3"]), ("configured", ["appName=web", "replicas=2"])],
)
def test_the_document_lives_on_ones_own_machine(
    tmp_path: Path, form: str, plugin: str, config: list[str]
) -> None:
    """Either format goes as it is printed through install, sleep, resume and uninstall."""
    site.install(tmp_path / "site", "configured")
    path = tmp_path / "site"
    values = ["--config", *config]
    given = values if form == "module" else []
    printed = run("definition", plugin, "--format", form, *given, PYTHONPATH=path)
    assert printed.returncode == 0, printed.stderr
    (tmp_path / "module.yaml").write_text(printed.stdout)
    command = [sys.executable, "-m", "modulehost", "local", "run", "-f", "module.yaml"]
    command += ["--plugin", plugin, *(values if form == "custom" else [])]
    environ = {**os.environ, "PYTHONPATH": str(path), "EXAMPLE_DIR": str(tmp_path / "example")}
    result = subprocess.run(
        command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "lived its whole life" in result.stdout
