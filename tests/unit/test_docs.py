"""The documentation says what the code does."""

from __future__ import annotations

import ast
import inspect
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from soak.run import GLIBC_TUNABLES
from support import site
from support.host import running

import modulehost
from modulehost import Completed, Context
from modulehost.cli.parser import make_parser
from modulehost.plugin.cancellation import Cancellation
from modulehost.plugin.hooks import ModuleSpec
from modulehost.shared.settings import SETTINGS

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PLUGINS = ROOT / "docs" / "plugins.md"
COMMANDS = ROOT / "docs" / "commands.md"
RELIABILITY = ROOT / "docs" / "reliability.md"
DOCUMENTS = [README, ROOT / "CHANGELOG.md", *sorted(ROOT.glob("docs/*.md"))]
DOCUMENTS += [ROOT / "deploy" / "README.md", *sorted(ROOT.glob("plugins/*/README.md"))]

TEST = re.compile(r"`((?:tests|plugins)/[\w/]+\.py)::(\w+)`")


def table(document: Path, first: str) -> list[list[str]]:
    """The rows of the table whose head begins with that cell, without the head."""
    lines = iter(document.read_text().splitlines())
    assert any(line.startswith(f"| {first} |") for line in lines), f"no table {first}"
    next(lines)
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return rows


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    """Each link to a file of the repository names one that is there, and its heading."""
    for target in re.findall(r"\]\(([^)]+)\)", document.read_text()):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (document.parent / path) if path else document
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
            assert anchor in [heading.lower().replace(" ", "-") for heading in headings], target


def test_every_setting_is_listed() -> None:
    """A row for each, in order: variable, default, reason, and what it takes."""
    assert table(ROOT / "docs" / "settings.md", "variable") == [
        [f"`{s.variable}`", f"`{s.default}`" if s.default else "unset", s.reason, s.takes]
        for s in SETTINGS
    ]


def test_every_command_is_listed() -> None:
    """A row for each subcommand of ``modulehost``, with its options."""
    listed = {
        row[0].split()[1]: re.findall(r"--[\w-]+", row[0]) for row in table(COMMANDS, "command")
    }
    [commands] = [a.choices for a in make_parser()._actions if isinstance(a.choices, dict)]
    assert listed == {
        name: [a.option_strings[0] for a in command._actions[1:] if a.option_strings]
        for name, command in commands.items()
    }


def test_the_changelog_has_this_version_on_top() -> None:
    """The first release in the changelog is the version of the package."""
    releases = re.findall(r"^## (\d\S+) - \d{4}-\d\d-\d\d$", DOCUMENTS[1].read_text(), re.M)
    assert releases[0] == modulehost.__version__


def test_every_hook_is_documented() -> None:
    """With the arguments that it may have."""
    hooks = {}
    for name, function in inspect.getmembers(ModuleSpec, inspect.isfunction):
        arguments = list(inspect.signature(function).parameters)[1:]
        hooks[f"`{name}({', '.join(arguments)})`"] = name
    assert {row[0] for row in table(PLUGINS, "hook")} == set(hooks)


def test_every_member_of_the_context_is_documented() -> None:
    """With its arguments and their defaults; and nothing else is."""
    cancellation = Cancellation()
    host: Any = None  # asked for nothing here
    made: Context[None] = Context(
        operation="install",
        request_id="",
        config=None,
        kubeconfig=None,
        deadline=1,
        cancellation=cancellation,
        host=host,
    )
    cancellation.close()
    members = set()
    for name in {*vars(Context), *vars(made)}:
        if not name.startswith("_"):
            member = vars(Context).get(name)
            members.add(f"`ctx.{name}{_arguments(member) if inspect.isfunction(member) else ''}`")
    assert {row[0] for row in table(PLUGINS, "member")} == members


def _arguments(function: Any) -> str:
    signature = inspect.signature(function)
    parameters = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in list(signature.parameters.values())[1:]
    ]
    return str(inspect.Signature(parameters))


def test_every_public_name_is_documented() -> None:
    """What authors import, and the parts of what ``ctx.run`` returns."""
    text = PLUGINS.read_text()
    first = re.search(r"from modulehost import (.*)", text)
    assert first
    assert first[1].split(", ") == list(modulehost.__all__)
    for name in Completed._fields:
        assert f"`{name}`" in text


def test_the_plugin_in_the_documentation_works(tmp_path: Path) -> None:
    """It is loaded, and goes through its life with a stand-in for the program that it calls."""
    [code] = re.findall(r"^```python\n(\"\"\".*?)^```$", PLUGINS.read_text(), re.DOTALL | re.M)
    packages = tmp_path / "site"
    packages.mkdir()
    (packages / "my_release.py").write_text(code)
    site.write_metadata(packages, "my-release", "my-release", "my_release")
    helm = tmp_path / "bin" / "helm"
    helm.parent.mkdir()
    helm.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n')
    helm.chmod(0o755)
    path = f"{helm.parent}:{Path(shutil.which('sh') or '/bin/sh').parent}"
    settings = {"MODULE_PLUGIN": "my-release", "PYTHONPATH": packages, "PATH": path}
    metadata: Any = {}
    with running(tmp_path / "host", config={"chart": "web", "replicas": 2}, **settings) as host:
        for operation, status in (("install", 201), ("sleep", 200), ("resume", 200)):
            reply = host.call(operation, metadata)
            assert reply.status == status, reply.text
            metadata = reply.json
        assert host.health().json["healthy"] is True
        assert host.call("uninstall", metadata).status == 204
    assert (tmp_path / "calls").read_text().splitlines() == [
        "upgrade --install my-release web --namespace=default",
        "upgrade my-release web --set=replicas=0 --namespace=default",
        "upgrade my-release web --set=replicas=2 --namespace=default",
        "version",
        "uninstall --ignore-not-found my-release --namespace=default",
    ]


def test_the_ledger_in_the_documentation_works(tmp_path: Path) -> None:
    """Its two hooks, with a folder for a server of databases."""
    [code] = re.findall(
        r"^```python\n(@hookimpl\ndef install.*?)^```$", PLUGINS.read_text(), re.S | re.M
    )
    folder = tmp_path / "databases"
    folder.mkdir()
    packages = tmp_path / "site"
    packages.mkdir()
    head = f"""
import os
import msgspec
from modulehost import hookimpl
def create_database(name): open(f"{folder}/{{name}}", "w").close()
def drop_database(name): os.unlink(f"{folder}/{{name}}")
class Config(msgspec.Struct):
    name: str
class Manager:
    config = Config
    @hookimpl
    def sleep(self): pass
    @hookimpl
    def resume(self): pass
"""
    (packages / "shop.py").write_text(head + re.sub("^", "    ", code, flags=re.M))
    site.write_metadata(packages, "shop", "shop", "shop")
    settings = {"MODULE_PLUGIN": "shop", "PYTHONPATH": packages}
    with running(tmp_path / "host", config={"name": "orders"}, **settings) as host:
        made = host.call("install", {})
        assert made.json["modulehost"]["created"][0]["name"] == "orders"
        assert [path.name for path in folder.iterdir()] == ["orders"]
        assert host.call("uninstall", made.json).status == 204
        assert not list(folder.iterdir())


def test_every_fault_has_its_test() -> None:
    """Each row of the fault table names a test."""
    for row in table(RELIABILITY, "fault"):
        assert TEST.search(row[-1]), row[0]


def test_the_tests_that_are_named_exist() -> None:
    """Each test that the documentation names is a function in that file."""
    named = [pair for document in DOCUMENTS for pair in TEST.findall(document.read_text())]
    assert named
    for file, function in named:
        tree = ast.parse((ROOT / file).read_text())
        functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert function in functions, f"{file}::{function}"


def test_the_soak_runs_with_the_allocator_of_the_image() -> None:
    """What it measures is what the image does."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert f"ENV GLIBC_TUNABLES={GLIBC_TUNABLES} " in dockerfile
