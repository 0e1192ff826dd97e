"""What a manager must be: every rule, with the cure for who breaks it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from modulehost.plugin.config import Schema
from modulehost.plugin.hooks import PROJECT, ModuleSpec
from modulehost.shared.records import OPERATIONS

HOOKS: Final = (*OPERATIONS, "health")
PERMISSIONS: Final = ("workspace", "controller")


def _marker(function: object) -> dict[str, Any] | None:
    marker = inspect.getattr_static(function, f"{PROJECT}_impl", None)
    if marker is None:
        marker = inspect.getattr_static(
            getattr(function, "__func__", None), f"{PROJECT}_impl", None
        )
    return marker if isinstance(marker, dict) else None


def hooks_of(manager: object) -> dict[str, Any]:
    """The functions that are marked as hooks, by the hook's name."""
    hooks = {}
    for name in dir(manager):
        try:
            function = getattr(manager, name)
            if (marker := _marker(function)) is not None:
                hooks[str(marker.get("specname") or name)] = function
        except BaseException:  # noqa: BLE001, S112 - a property that fails is no hook
            continue
    return hooks


def hook_problems(manager: object, hooks: dict[str, Any]) -> Iterator[str]:
    """What is wrong with the hooks, each with its cure."""
    for name, function in hooks.items():
        marker = _marker(function) or {}
        if marker.get("wrapper") or marker.get("hookwrapper"):
            yield f"{name} is a wrapper; a plugin's hooks are plain functions"
    if not hooks and not any(callable(getattr(manager, name, None)) for name in OPERATIONS):
        yield "it is no plugin: it has none of the hooks install, uninstall, sleep, resume"
        return
    for name in hooks.keys() - set(HOOKS):
        from difflib import get_close_matches

        close = get_close_matches(name, HOOKS, 1)
        cure = f"did you mean {close[0]}?" if close else f"the hooks are {', '.join(HOOKS)}"
        yield f"there is no hook {name}; {cure}"
    for name in HOOKS:
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
    if inspect.ismethod(function):
        own = list(inspect.signature(function.__func__).parameters.values())
        if (
            not own
            or own[0].name in spec
            or own[0].kind in (own[0].KEYWORD_ONLY, own[0].VAR_KEYWORD)
        ):
            words = ", ".join(["self", *(parameter.name for parameter in own)])
            yield f"{name} lacks its first argument, self; write def {name}({words})"
            return
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


def extra_problems(manager: object) -> Iterator[str]:
    """What is wrong with what is declared beside the hooks."""
    config = getattr(manager, "config", None)
    if config is not None:
        if not (inspect.isclass(config) and issubclass(config, msgspec.Struct)):
            yield "config is not a subclass of msgspec.Struct"
        else:
            yield from Schema(config).problems()
    permissions = getattr(manager, "permissions", ())
    if not isinstance(permissions, tuple | list | set | frozenset) or not all(
        permission in PERMISSIONS for permission in permissions
    ):
        yield f"permissions is not a tuple of {' and '.join(map(repr, PERMISSIONS))}"
    deadlines = getattr(manager, "deadlines", {})
    if not isinstance(deadlines, dict) or not all(
        name in OPERATIONS and isinstance(value, int | float) and 0 < value < 1e9
        for name, value in deadlines.items()
    ):
        yield "deadlines is not a dict from operation to seconds, like {'install': 1800}"
    if not isinstance(getattr(manager, "category", ""), str):
        yield "category is no text"
    usage = getattr(manager, "resource_usage", None)
    if usage is not None and not (
        isinstance(usage, dict)
        and all(key in ("cpu", "memory") and isinstance(value, str) for key, value in usage.items())
    ):
        yield "resource_usage is not a dict like {'cpu': '10m', 'memory': '64Mi'}"
