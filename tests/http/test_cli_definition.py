"""The command ``modulehost definition``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from support import site
from support.cli import HOOKS, add, mistake, run

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for PYTHONPATH that holds the plugin ``configured``."""
    site.install(tmp_path, "configured")
    return tmp_path


def failure(result: subprocess.CompletedProcess[str], status: int) -> str:
    """The one line that a failure prints."""
    assert (result.returncode, result.stdout) == (status, "")
    [line] = result.stderr.splitlines()
    assert line.startswith("modulehost: ")
    return line.removeprefix("modulehost: ")


def test_a_module_is_printed_and_what_is_wrong_with_it_told_beside(folder: Path) -> None:
    """YAML alone on standard output; on standard error a line for each trap; status 0."""
    arguments = ("--image", "x/y:1", "--config", "appName=web", "replicas=2", "--config=size=large")
    result = run("definition", "configured", *arguments, PYTHONPATH=folder)
    assert result.returncode == 0
    module = yaml.safe_load(result.stdout)
    assert (module["kind"], module["metadata"]["name"]) == ("Module", "configured")
    assert module["spec"]["custom"] == {"image": "x/y:1"}
    assert module["spec"]["config"] == {"appName": "web", "replicas": 2, "size": "large"}
    told = [line.split(":")[:2] for line in result.stderr.splitlines()]
    assert told == [["modulehost", " cpuShare"], ["modulehost", " zones"]]


def test_values_come_from_a_file(folder: Path) -> None:
    """For the Makefile that ``modulehost new`` makes."""
    (folder / "values.yaml").write_text("appName: web\nreplicas: 2\n")
    arguments = ("--image", "x/y:1", "--values", str(folder / "values.yaml"))
    result = run("definition", "configured", *arguments, PYTHONPATH=folder)
    assert yaml.safe_load(result.stdout)["spec"]["config"] == {"appName": "web", "replicas": 2}
    reason = failure(run("definition", "configured", "--values=none", PYTHONPATH=folder), 2)
    assert reason == "none cannot be read: No such file or directory"


def test_a_definition_is_printed(folder: Path) -> None:
    """Of the plugin that MODULE_PLUGIN names, with what its package says."""
    arguments = ("--format", "custom", "--image", "x/y:1")
    result = run("definition", *arguments, PYTHONPATH=folder, MODULE_PLUGIN="configured")
    assert result.returncode == 0
    definition = yaml.safe_load(result.stdout)
    assert definition["metadata"] == {
        "name": "test-configured",
        "version": "1.0",
        "supportedOperatorVersion": ">= 0.0.0, < 1.0.0",
        "description": "For tests",
    }
    assert [item["type"] for item in definition["config"]] == [
        *("string", "integer", "float", "boolean", "option", "multiple-options", "string")
    ]


def test_the_argument_wins_over_the_environment(folder: Path) -> None:
    """A plugin that is named is the one."""
    result = run("definition", "example", PYTHONPATH=folder, MODULE_PLUGIN="configured")
    assert yaml.safe_load(result.stdout)["metadata"]["name"] == "example"


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("bogus",), 1, "bogus: no such plugin; installed: "),
        ((), 1, "several plugins are installed; set MODULE_PLUGIN to one of: "),
        (("configured", "--config", "replcas=1"), 2, "did you mean replicas?"),
        (("configured", "--config", "replicas=many"), 2, "replicas: it takes an integer of at"),
        (("configured", "--format", "custom", "--config", "replicas=1"), 2, "--format module"),
    ],
)
def test_mistakes_are_one_line_with_the_cure(
    folder: Path, arguments: tuple[str, ...], status: int, words: str
) -> None:
    """Nothing is printed but the reason."""
    assert words in failure(run("definition", *arguments, PYTHONPATH=folder), status)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--format", "bogus"), "--format"),
        (("--config", "x"), "'x' is not KEY=VALUE"),
        (("--config", "=x"), "'=x' is not KEY=VALUE"),
        (("--config",), "--config"),
        (("--timeout", "0"), "--timeout"),
        (("one", "two"), "two"),
    ],
)
def test_arguments_that_mean_nothing_are_named(arguments: tuple[str, ...], named: str) -> None:
    """The exit status is 2, and the last line on standard error says which argument it is."""
    assert named in mistake("definition", *arguments)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("import os; os._exit(3)", "its process died while it was loaded: exit status 3"),
        ("raise RuntimeError('no licence')", "importing bad failed: RuntimeError: no licence"),
        ("import time; time.sleep(60)", "it did not load within 1 s; make its import faster"),
        ("import os; os.closerange(0, 99)", "its process died while it was loaded: exit status 1"),
        ("Manager = None", "bad:Manager: it is no plugin: it has none of the hooks"),
    ],
)
def test_a_bad_plugin_is_told(folder: Path, source: str, problem: str) -> None:
    """Whatever it does while it is imported."""
    add(folder, "bad", source)
    timeout = "1" if "did not load" in problem else "30"
    result = run("definition", "bad", "--timeout", timeout, PYTHONPATH=folder)
    assert f"plugin 'bad' of test-bad 1.0: {problem}" in failure(result, 1)


def test_what_a_plugin_prints_stays_out_of_the_document(folder: Path) -> None:
    """On import and when its defaults are made."""
    source = f"""
import msgspec
from modulehost import hookimpl

print("noise")

def default():
    print("noise")
    return 3

class Config(msgspec.Struct):
    size: int = msgspec.field(default_factory=default)

class Manager:
    config = Config
{HOOKS}"""
    add(folder, "chatty", source)
    result = run("definition", "chatty", "--image", "x", PYTHONPATH=folder)
    assert (result.returncode, result.stderr) == (0, "")
    assert yaml.safe_load(result.stdout)["config"][0]["integer"]["default"] == 3


def test_a_default_that_fails_is_told(folder: Path) -> None:
    """A plugin can load and still fail here."""
    source = f"""
import msgspec
from modulehost import hookimpl

class Config(msgspec.Struct):
    size: int = msgspec.field(default_factory=lambda: 1 // 0)

class Manager:
    config = Config
{HOOKS}"""
    add(folder, "failing", source)
    reason = failure(run("definition", "failing", PYTHONPATH=folder), 1)
    assert reason == (
        "plugin 'failing' of test-failing 1.0: its definition cannot be made: ZeroDivisionError:"
        " integer division or modulo by zero"
    )


def test_a_large_definition_comes_whole(folder: Path) -> None:
    """One that no pipe would hold."""
    source = f"""
import msgspec
from typing import Literal
from modulehost import hookimpl

Options = Literal[tuple(f"{{n:06}}-" + "x" * 100 for n in range(5000))]

class Config(msgspec.Struct):
    size: Options | None = None

class Manager:
    config = Config
{HOOKS}"""
    add(folder, "large", source)
    result = run("definition", "large", PYTHONPATH=folder)
    assert result.returncode == 0
    assert result.stdout.count("x" * 100) == 5000


def test_without_yaml_the_cure_is_told() -> None:
    """PyYAML belongs to an extra."""
    code = (
        "import sys; sys.modules['yaml'] = None; sys.argv = ['modulehost', 'definition', 'example']"
        "\nfrom modulehost.cli import main\nsys.exit(main())"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False
    )
    assert "pip install 'modulehost[cli]'" in failure(result, 1)
