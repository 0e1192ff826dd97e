"""Plugins: find the entry points, select one, load it, check it.

Every error names the package, the object and the cure. Finding reads package metadata only; code
of a plugin runs nowhere but in ``load``.
"""

from __future__ import annotations

import inspect
import os
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any, NamedTuple

import msgspec
import pluggy

from modulehost.plugin.config import Schema
from modulehost.plugin.hooks import GROUP, PROJECT, ModuleSpec
from modulehost.shared.errors import ModuleError, PluginError, one_line
from modulehost.shared.records import OPERATIONS

_HOOKS = (*OPERATIONS, "health")
_PERMISSIONS = ("workspace", "controller")


class Found(NamedTuple):
    """An entry point, as the metadata of its package has it."""

    name: str
    value: str
    package: str
    version: str
    summary: str

    def __str__(self) -> str:
        return f"plugin {self.name!r} of {self.package} {self.version}"


class Plugin(NamedTuple):
    """A plugin that was loaded and has passed all checks."""

    found: Found
    manager: pluggy.PluginManager
    schema: Schema | None
    permissions: tuple[str, ...]
    deadlines: dict[str, float]
    has_health: bool

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
    package = found.value.partition(":")[0].partition(".")[0]
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
        problems = [*_hook_problems(manager), *_extra_problems(manager)]
    except Exception as error:
        raise PluginError(f"{found}: {found.value} is no plugin: {_words(error)}") from error
    if problems:
        raise PluginError(f"{found}: {found.value}: {'; '.join(problems)}")
    plugins = pluggy.PluginManager(PROJECT)
    plugins.add_hookspecs(ModuleSpec)
    try:
        plugins.register(manager, found.name)
        plugins.check_pending()
    except Exception as error:
        raise PluginError(f"{found}: {found.value}: {error}") from error
    config = getattr(manager, "config", None)
    return Plugin(
        found,
        plugins,
        None if config is None else Schema(config),
        tuple(getattr(manager, "permissions", ())),
        {name: float(value) for name, value in getattr(manager, "deadlines", {}).items()},
        _marker(getattr(manager, "health", None)) is not None,
    )


def _import(found: Found) -> object:
    module, _, attributes = found.value.partition(":")
    try:
        target: object = import_module(module)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if module == missing or module.startswith(f"{missing}."):
            raise PluginError(
                f"{found}: its entry point names the module {module}, which does not exist; check"
                f" the entry point in the package's setup.cfg"
            ) from None
        raise PluginError(
            f"{found}: importing {module} failed: no module named {missing}; add the package that"
            f" has it to install_requires of {found.package}"
        ) from error
    except BaseException as error:
        raise PluginError(f"{found}: importing {module} failed: {_words(error)}") from error
    for attribute in attributes.split(".") if attributes else ():
        try:
            target = getattr(target, attribute)
        except AttributeError:
            raise PluginError(
                f"{found}: its entry point names {found.value}, but {module} has no {attribute}"
            ) from None
    return target


def _instance(found: Found, target: object) -> object:
    if not inspect.isclass(target):
        return target
    try:
        return target()
    except ModuleError as error:
        raise PluginError(f"{found}: {error}") from None
    except BaseException as error:
        raise PluginError(
            f"{found}: {found.value}() failed: {_words(error)}; the manager is made without"
            f" arguments"
        ) from error


def _words(error: BaseException) -> str:
    name = type(error).__name__
    try:
        text = one_line(str(error))
    except Exception:  # noqa: BLE001 - a __str__ of somebody else's
        text = ""
    return f"{name}: {text}" if text else name


def _marker(function: object) -> dict[str, Any] | None:
    marker = inspect.getattr_static(function, f"{PROJECT}_impl", None)
    if marker is None:
        marker = inspect.getattr_static(
            getattr(function, "__func__", None), f"{PROJECT}_impl", None
        )
    return marker if isinstance(marker, dict) else None


def _hook_problems(manager: object) -> Iterator[str]:
    """What is wrong with the hooks, each with its cure."""
    hooks = {}
    for name in dir(manager):
        try:
            function = getattr(manager, name)
        except Exception:  # noqa: BLE001, S112 - a property that fails is no hook
            continue
        if (marker := _marker(function)) is not None:
            hooks[marker.get("specname") or name] = function
            if marker.get("wrapper") or marker.get("hookwrapper"):
                yield f"{name} is a wrapper; a plugin's hooks are plain functions"
    if not hooks and not any(callable(getattr(manager, name, None)) for name in OPERATIONS):
        yield "it is no plugin: it has none of the hooks install, uninstall, sleep, resume"
        return
    for name in hooks.keys() - set(_HOOKS):
        from difflib import get_close_matches

        close = get_close_matches(name, _HOOKS, 1)
        cure = f"did you mean {close[0]}?" if close else f"the hooks are {', '.join(_HOOKS)}"
        yield f"there is no hook {name}; {cure}"
    for name in _HOOKS:
        if name in hooks:
            yield from _signature_problems(name, hooks[name])
        elif callable(getattr(manager, name, None)):
            yield f"{name} has no decorator; put @hookimpl above it"
        elif name in OPERATIONS:
            yield f"the hook {name} is missing; all of {', '.join(OPERATIONS)} are required"


def _signature_problems(name: str, function: Any) -> Iterator[str]:
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        yield f"{name} is async, which would never run; make it a plain def"
    elif inspect.isgeneratorfunction(function):
        yield f"{name} is a generator (it has a yield), which would never run; make it a plain def"
    spec = list(inspect.signature(getattr(ModuleSpec, name)).parameters)[1:]
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name not in spec:
            yield f"{name} has an argument {parameter.name}; a hook may have {', '.join(spec)}"
        elif parameter.default is not parameter.empty:
            yield f"{name} gives {parameter.name} a default, so it is never filled; take it away"
        elif parameter.kind is parameter.KEYWORD_ONLY:
            yield (
                f"{name} takes {parameter.name} by keyword only, so it is never filled; take the *"
                " away"
            )


def _extra_problems(manager: object) -> Iterator[str]:
    """What is wrong with config, permissions and deadlines."""
    config = getattr(manager, "config", None)
    if config is not None:
        if not (inspect.isclass(config) and issubclass(config, msgspec.Struct)):
            yield "config is not a subclass of msgspec.Struct"
        else:
            yield from Schema(config).problems()
    permissions = getattr(manager, "permissions", ())
    if not isinstance(permissions, tuple | list | set | frozenset) or not all(
        permission in _PERMISSIONS for permission in permissions
    ):
        yield f"permissions is not a tuple of {' and '.join(map(repr, _PERMISSIONS))}"
    deadlines = getattr(manager, "deadlines", {})
    if not isinstance(deadlines, dict) or not all(
        name in OPERATIONS and isinstance(value, int | float) and 0 < value < 1e9
        for name, value in deadlines.items()
    ):
        yield "deadlines is not a dict from operation to seconds, like {'install': 1800}"
