"""What plugin authors import: lazily, documented, typed."""

from __future__ import annotations

import inspect
import re
from importlib import metadata
from pathlib import Path
from typing import Any, get_type_hints

import pluggy
import pytest
from support.interpreter import evaluate, modules_after

import modulehost
from modulehost.plugin.context import Context
from modulehost.plugin.hooks import PROJECT, ModuleSpec
from modulehost.shared.records import OPERATIONS

HOOKS = [name for name in vars(ModuleSpec) if not name.startswith("_")]


class TestPackage:
    """The package itself."""

    def test_importing_it_imports_next_to_nothing(self) -> None:
        """The keeper imports the package before it listens: nothing may come along."""
        assert modules_after("import modulehost", bare=True) <= {"modulehost", "__future__"}

    @pytest.mark.parametrize("name", modulehost.__all__)
    def test_names_are_handed_out_lazily(self, name: str) -> None:
        """A name is imported when it is first asked for, and stays."""
        told = evaluate(
            f"""
import json, sys
import modulehost
before = {name!r} in vars(modulehost)
from modulehost import {name}
print(json.dumps([before, {name} is modulehost.{name}, {name!r} in vars(modulehost)]))
"""
        )
        assert told == [False, True, True]

    def test_all_names_come_with_a_star(self) -> None:
        """``from modulehost import *`` gives just the public names."""
        told = evaluate(
            """
import json
before = {*globals()}
from modulehost import *
print(json.dumps(sorted({*globals()} - before - {"before"})))
"""
        )
        assert told == sorted(modulehost.__all__)

    def test_an_author_gets_what_the_design_promises(self) -> None:
        """No public name goes away unnoticed."""
        assert {"hookimpl", "Context", "ModuleError", "Cancelled"} <= set(modulehost.__all__)

    def test_other_names_are_not_there(self) -> None:
        """A misspelt name is an AttributeError that says so."""
        with pytest.raises(AttributeError, match="module 'modulehost' has no attribute 'Contxt'"):
            modulehost.Contxt  # noqa: B018
        with pytest.raises(ImportError):
            exec("from modulehost import hookimp", {})

    def test_the_names_are_listed(self) -> None:
        """dir() has what is not imported yet as well."""
        assert set(modulehost.__all__) <= set(dir(modulehost))

    @pytest.mark.parametrize("name", modulehost.__all__)
    def test_every_name_is_documented(self, name: str) -> None:
        """A public name says what it is for."""
        assert inspect.getdoc(getattr(modulehost, name))

    def test_types_are_shipped(self) -> None:
        """The package says that it is typed, and type checkers see where each name is from."""
        folder = Path(modulehost.__file__).parent
        assert (folder / "py.typed").is_file()
        text = (folder / "__init__.py").read_text()
        block = text.split("if TYPE_CHECKING:")[1].split("__all__")[0]
        names = re.findall(r"from modulehost\.([\w.]+) import (.+)", block)
        told = {name: home for home, line in names for name in line.split(", ")}
        assert told == modulehost._HOMES
        assert sorted(told) == modulehost.__all__

    def test_the_version_is_the_packages(self) -> None:
        """One version, wherever it is asked for."""
        assert modulehost.__version__ == metadata.version("modulehost")


class TestHookspecs:
    """The hooks, as authors read them."""

    def test_there_are_five_hooks(self) -> None:
        """The four operations and health, no more."""
        assert [*OPERATIONS, "health"] == HOOKS

    @pytest.mark.parametrize("name", HOOKS)
    def test_every_hook_is_documented(self, name: str) -> None:
        """Each says what it must do, when it fires, and what it may raise or how long it has."""
        text = inspect.getdoc(getattr(ModuleSpec, name)) or ""
        first, _, rest = text.partition("\n\n")
        assert first.endswith(".")
        assert rest.startswith("Fires ")
        words = "has five seconds" if name == "health" else "may raise"
        assert words in " ".join(rest.split()).lower()

    @pytest.mark.parametrize("name", HOOKS)
    def test_every_hook_is_typed(self, name: str) -> None:
        """Arguments and results have types that can be resolved."""
        function = getattr(ModuleSpec, name)
        hints = get_type_hints(function, localns={"Context": Context})
        expected: dict[str, Any] = {"ctx": Context[Any], "return": type(None)}
        if name == "health":
            expected["return"] = bool | None
        else:
            expected["metadata"] = dict[str, Any]
        assert hints == expected

    @pytest.mark.parametrize("name", HOOKS)
    def test_the_first_result_counts(self, name: str) -> None:
        """pluggy knows each hook, and gives back a result, not a list."""
        manager = pluggy.PluginManager(PROJECT)
        manager.add_hookspecs(ModuleSpec)
        spec = getattr(manager.hook, name).spec
        assert spec is not None
        assert spec.opts["firstresult"] is True


class TestContext:
    """The context, as authors read it."""

    @pytest.mark.parametrize(
        "name",
        [
            "log",
            "remaining",
            "cancelled",
            "raise_if_cancelled",
            "wait",
            "checkpoint",
            "progress",
            "run",
        ],
    )
    def test_every_part_is_documented(self, name: str) -> None:
        """Each says what it does."""
        assert inspect.getdoc(getattr(Context, name))

    def test_plain_attributes_are_documented(self) -> None:
        """The class names those that have no docstring of their own."""
        text = inspect.getdoc(Context) or ""
        for name in ("operation", "request_id", "config", "kubeconfig"):
            assert f"``{name}``" in text
