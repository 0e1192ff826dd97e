"""The host and its plugins as a user has them: installed from wheels, far from the checkout."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from support.host import Host
from support.venv import ROOT, Environment

import modulehost
from modulehost.shared.settings import SETTINGS

pytestmark = pytest.mark.slow  # it takes an environment of its own

README = (ROOT / "README.md").read_text()

SECOND = {
    "setup.cfg": """
[metadata]
name = second-plugin
version = 2.0
description = The second one
[options]
py_modules = second
[options.entry_points]
modulehost.managers =
    second = second:manager
""",
    "setup.py": "from setuptools import setup; setup()",
    "second.py": """
from modulehost import hookimpl

class Second:
    @hookimpl
    def install(self, metadata):
        metadata["by"] = "second"

    @hookimpl
    def uninstall(self): ...

    @hookimpl
    def sleep(self): ...

    @hookimpl
    def resume(self): ...

manager = Second()
""",
}


def block(language: str, containing: str) -> str:
    """The block of the README in that language with this text in it."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    [found] = [text for text in blocks if containing in text]
    return str(found)


def live(host: Host) -> list[dict[str, object]]:
    """Go through a whole life; the metadata after each operation."""
    answers: list[dict[str, object]] = [{}]
    for operation, status in (("install", 201), ("sleep", 200), ("resume", 200)):
        reply = host.call(operation, answers[-1])
        assert (reply.status, reply.headers["Content-Type"]) == (status, "application/json")
        answers.append(reply.json)
    reply = host.call("uninstall", answers[-1])
    assert (reply.status, reply.body) == (204, b"")
    return answers[1:]


def test_nothing_comes_from_the_checkout(installed: Environment, tmp_path: Path) -> None:
    """Both packages are imported from the environment."""
    code = "import modulehost, modulehost_example as e; print(modulehost.__file__, e.__file__)"
    result = installed.run("-c", code, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    for file in result.stdout.split():
        assert Path(file).is_relative_to(installed.packages)


def test_the_command_is_installed(installed: Environment, tmp_path: Path) -> None:
    """``modulehost`` says its version, its help lists every setting, and finds the plugin."""
    command = str(installed.folder / "bin" / "modulehost")
    result = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert result.stdout == f"modulehost {modulehost.__version__}\n"
    result = installed.run(command, "--help", cwd=tmp_path)
    assert result.returncode == 0
    assert not [s.variable for s in SETTINGS if f"\n  {s.variable} " not in result.stdout]
    result = installed.run(command, "plugins", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert re.search(r"^\*  example +modulehost-example +0\.1\.0 ", result.stdout, re.MULTILINE)


def test_the_only_plugin_is_served(installed: Environment, tmp_path: Path) -> None:
    """The installed command carries the example through its life; nothing selects it."""
    command = str(installed.folder / "bin" / "modulehost")
    with installed.host(tmp_path / "host", command, "serve") as host:
        answers = live(host)
        assert host.events("plugin loaded")[0]["plugin"] == "example"
        assert host.health().json["healthy"] is True
    assert answers[0]["deploymentName"] == "my-app-deployment"
    assert "replicasBeforeSleep" in answers[1]
    assert "replicasBeforeSleep" not in answers[2]


def test_gunicorn_alone_serves(installed: Environment, tmp_path: Path) -> None:
    """Without the keeper, by the settings in the package."""
    arguments = ("-m", "gunicorn", "-c", "python:modulehost.front.gunicorn", "modulehost.wsgi:app")
    assert " ".join(arguments[1:]) in (ROOT / "docs" / "commands.md").read_text()
    with installed.host(tmp_path / "host", *arguments) as host:
        live(host)


def test_a_second_plugin_is_selected_by_name(installed: Environment, tmp_path: Path) -> None:
    """pip-installed beside the first: MODULE_PLUGIN selects either, and nothing else changes."""
    sources = tmp_path / "sources"
    sources.mkdir()
    for name, text in SECOND.items():
        (sources / name).write_text(text)
    both = installed.beside(tmp_path / "environment")
    both.install(sources)

    result = both.run("-m", "modulehost", "plugins", cwd=tmp_path, MODULE_PLUGIN="second")
    assert (result.returncode, result.stderr) == (0, "")
    assert re.search(r"^\*  second +second-plugin +2\.0 +The second one$", result.stdout, re.M)
    assert re.search(r"^   example ", result.stdout, re.M)
    with both.host(tmp_path / "second", MODULE_PLUGIN="second") as host:
        assert live(host) == [{"by": "second"}] * 3
    with both.host(tmp_path / "first", MODULE_PLUGIN="example") as host:
        assert live(host)[0]["deploymentName"] == "my-app-deployment"
    with both.host(tmp_path / "none") as host:
        reply = host.call("install")
        assert reply.status == 400
        assert reply.text == (
            "several plugins are installed; set MODULE_PLUGIN to one of: example"
            " (modulehost-example), second (second-plugin)\n"
        )


def test_the_plugin_in_the_readme_works(installed: Environment, tmp_path: Path) -> None:
    """It has twenty lines, installs with pip, and goes through its life."""
    sources = tmp_path / "sources"
    sources.mkdir()
    code = block("python", "class Manager")
    assert len([line for line in code.splitlines() if line]) <= 20
    (sources / "hello.py").write_text(code)
    (sources / "pyproject.toml").write_text(block("toml", "modulehost.managers"))
    environment = installed.beside(tmp_path / "environment")
    environment.install(sources)

    file = tmp_path / "hello.txt"
    config = {"file": str(file)}
    metadata: object = {}
    with environment.host(tmp_path / "host", MODULE_PLUGIN="hello", config=config) as host:
        for operation, text in (("install", "awake"), ("sleep", "asleep"), ("resume", "awake")):
            metadata = host.call(operation, metadata).json
            assert metadata == {"file": str(file)}
            assert file.read_text() == text
        assert host.call("uninstall", metadata).status == 204
        assert not file.exists()
