"""Plugins: find the entry points, select one, load it, check it.

Every error names the package, the object and the cure. Finding reads package metadata only; code
of a plugin runs nowhere but in ``load``.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

import pluggy

from modulehost.plugin.config import Schema
from modulehost.plugin.hooks import GROUP, PROJECT, ModuleSpec
from modulehost.plugin.validation import extra_problems, hook_problems, hooks_of
from modulehost.shared.describe import is_a, place_of, reason_of, text_of, type_name
from modulehost.shared.errors import ModuleError, PluginError


class Found(NamedTuple):
    """An entry point, as the metadata of its package has it."""

    name: str
    value: str
    package: str
    version: str
    summary: str

    @property
    def top(self) -> str:
        """The import package that its module is in."""
        return self.value.partition(":")[0].partition(".")[0]

    def __str__(self) -> str:
        return f"plugin {self.name!r} of {self.package} {self.version}"


class _Hooks:
    """What pluggy is shown of a manager: it would ask for every attribute again."""

    def __init__(self, hooks: dict[str, Any]) -> None:
        vars(self).update(hooks)


class Plugin(NamedTuple):
    """A plugin that was loaded and has passed all checks."""

    found: Found
    manager: pluggy.PluginManager
    schema: Schema | None
    permissions: tuple[str, ...]
    deadlines: dict[str, float]
    has_health: bool
    metadata_version: int = 1
    migrations: dict[int, Callable[[dict[str, Any]], None]] = {}  # noqa: RUF012 - of a tuple
    category: str = ""
    resource_usage: dict[str, str] | None = None

    def call(self, hook: str, **arguments: object) -> object:
        """Call a hook through pluggy."""
        return getattr(self.manager.hook, hook)(**arguments)


def find() -> list[Found]:
    """The installed plugins, by name; a package whose metadata cannot be read is passed over.

    Reads the files that pip writes beside a package, as ``importlib.metadata`` does: its import
    alone would cost each module's pod 3.5 MiB and a third of the time that a plugin takes to load.
    """
    found: list[Found] = []
    seen: set[str] = set()
    for entry in sys.path:
        try:
            names = sorted(os.listdir(entry or "."))  # noqa: PTH208 - pathlib is dear, too
        except OSError:
            continue
        for name in names:
            if name.endswith((".dist-info", ".egg-info")):
                package = re.split(r"-|\.egg-info$", name)[0].lower().replace(".", "_")
                if package not in seen:  # else shadowed by an earlier entry, as for imports
                    plugins = _plugins(f"{entry or '.'}/{name}")
                    found += plugins
                    seen.add(package)
    return sorted(found)


def _plugins(folder: str) -> list[Found]:
    """The entry points of our group in one package's metadata."""
    try:
        text = _read(f"{folder}/entry_points.txt")
        if GROUP not in text:
            return []
        kind = "METADATA" if folder.endswith(".dist-info") else "PKG-INFO"
        head = dict(
            line.split(": ", 1)
            for line in _read(f"{folder}/{kind}").split("\n\n")[0].splitlines()
            if re.match(r"(Name|Version|Summary): ", line)
        )
        section = ""
        found = []
        for line in map(str.strip, text.splitlines()):
            if line.startswith("["):
                section = line.strip("[] ")
            elif section == GROUP and "=" in line and not line.startswith("#"):
                name, value = (part.strip() for part in line.split("=", 1))
                value = value.split("[")[0].replace(" ", "")
                summary = head.get("Summary", "")
                found.append(Found(name, value, head["Name"], head["Version"], summary))
    except (OSError, ValueError, KeyError):
        return []
    return found


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:  # noqa: PTH123
        return file.read()


def select(plugins: list[Found], name: str | None) -> Found:
    """The plugin to serve: the one of that name, or the only one. Raises PluginError."""
    there = ", ".join(dict.fromkeys(f"{p.name} ({p.package})" for p in plugins)) or "none"
    if name is None:
        match plugins:
            case [only]:
                return only
            case []:
                raise PluginError(
                    f"no plugin is installed; pip install one: a package with an entry point in"
                    f" the group {GROUP}"
                )
        raise PluginError(f"several plugins are installed; set MODULE_PLUGIN to one of: {there}")
    match [plugin for plugin in plugins if plugin.name == name]:
        case [one]:
            return one
        case []:
            raise PluginError(f"MODULE_PLUGIN={name}: no such plugin; installed: {there}")
        case several:
            packages = " and ".join(sorted(plugin.package for plugin in several))
            raise PluginError(
                f"MODULE_PLUGIN={name}: {packages} both have a plugin of this name; uninstall one"
            )


def mentions(found: Found, text: bytes) -> bool:
    """Whether a text is in a source file of the plugin's package, of those that are imported."""
    package = found.top
    for name, module in [*sys.modules.items()]:
        if name == package or name.startswith(f"{package}."):
            try:
                with open(module.__file__ or "", "rb") as file:  # noqa: PTH123
                    if text in file.read():
                        return True
            except Exception:  # noqa: BLE001, S112 - a module of the plugin's may be anything
                continue
    return False


def load(found: Found) -> Plugin:
    """Import the plugin and check it. Raises PluginError; its cause is what the plugin raised."""
    manager = _instance(found, _import(found))
    try:
        hooks = hooks_of(manager)
        problems = [*hook_problems(manager, hooks), *extra_problems(manager)]
        if hasattr(manager, "metadata_version") or hasattr(manager, "migrations"):
            from modulehost.plugin import versions  # not every plugin has them

            problems += versions.problems(manager)
        if not problems:
            plugins = pluggy.PluginManager(PROJECT)
            plugins.add_hookspecs(ModuleSpec)
            plugins.register(_Hooks(hooks), found.name)
            plugins.check_pending()
            config = getattr(manager, "config", None)
            deadlines = getattr(manager, "deadlines", {})
            return Plugin(
                found,
                plugins,
                None if config is None else Schema(config),
                tuple(getattr(manager, "permissions", ())),
                {name: float(value) for name, value in deadlines.items()},
                "health" in hooks,
                getattr(manager, "metadata_version", 1),
                getattr(manager, "migrations", {}),
                getattr(manager, "category", ""),
                getattr(manager, "resource_usage", None),
            )
    except BaseException as error:
        raise PluginError(
            f"{found}: {found.value} is no plugin: {_raised(error, found)}"
        ) from error
    raise PluginError(f"{found}: {found.value}: {'; '.join(problems)}")


def _import(found: Found) -> object:
    module, _, attributes = found.value.partition(":")
    try:
        target: object = import_module(module)
    except BaseException as error:
        missing = _missing(error)
        if missing and (module == missing or module.startswith(f"{missing}.")):
            raise PluginError(
                f"{found}: its entry point names the module {module}, which does not exist; check"
                " the entry point in the package's pyproject.toml or setup.cfg"
            ) from None
        if missing:
            place = place_of(error, found.top)
            raise PluginError(
                f"{found}: importing {module} failed: no module named {missing} ({place}); add the"
                f" package that has it to the dependencies of {found.package}"
            ) from error
        raise PluginError(f"{found}: importing {module} failed: {_raised(error, found)}") from error
    for attribute in attributes.split(".") if attributes else ():
        try:
            target = getattr(target, attribute)
        except BaseException:  # noqa: BLE001 - of a __getattr__ of theirs
            raise PluginError(
                f"{found}: its entry point names {found.value}, but {module} has no {attribute}"
            ) from None
    return target


def _missing(error: BaseException) -> str:
    """The module that is not there; "" when the error is another one."""
    try:
        return text_of(error.name or "") if is_a(error, ModuleNotFoundError) else ""  # type: ignore[attr-defined]
    except BaseException:  # noqa: BLE001 - of a class of theirs
        return ""


def _instance(found: Found, target: object) -> object:
    if not is_a(target, type):
        return target
    try:
        return target()  # type: ignore[operator]
    except BaseException as error:
        if is_a(error, ModuleError):
            raise PluginError(f"{found}: {reason_of(error)}") from None
        problem = f"{found}: {found.value}() failed: {_raised(error, found)}"
        if is_a(error, TypeError) and not place_of(error, found.top):  # it was not entered
            problem += "; the manager is made without arguments"
        raise PluginError(problem) from error


def _raised(error: BaseException, found: Found) -> str:
    """What was raised, and where: ``ValueError: no licence (shop/manager.py, line 12)``."""
    words, place = reason_of(error), place_of(error, found.top)
    if is_a(error, SyntaxError) and place:  # its text names a file, too
        words = f"{type_name(error)}: {text_of(getattr(error, 'msg', ''))}"
    return f"{words} ({place})" if place else words
