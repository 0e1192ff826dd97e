"""What the operator is told of a plugin: a resource definition, or a Module, made from its schema.

Only the command line imports this. ``docs/operator.md`` says what the operator does with either.
"""

from __future__ import annotations

import email.utils
import importlib.metadata
import math
import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, Literal, get_args, get_origin

import msgspec
from msgspec import inspect

from modulehost.plugin.config import Item, Schema, options_of
from modulehost.plugin.discovery import Found, Plugin
from modulehost.plugin.re2 import regex_warnings
from modulehost.shared.errors import ConfigError, PluginError, one_line
from modulehost.shared.image import image_problem

SUPPORTED = ">= 0.0.0, < 1.0.0"
"""What a definition says of operators; only those before October 2025 look at it."""

_WORKSPACE = "dev-workspace"
_LONGEST_NAME = 253  # of an object, in Kubernetes

# What each of the six types is called: in a definition, and in a Module.
_STRING = ("string", "string")
_INTEGER = ("integer", "integer")
_FLOAT = ("float", "")
_BOOLEAN = ("boolean", "boolean")
_OPTION = ("option", "option")
_OPTIONS = ("multiple-options", "multipleOptions")


class Asked(msgspec.Struct):
    """What a document is asked to be."""

    format: Literal["custom", "module"] = "module"
    image: str | None = None
    config: dict[str, str] = {}
    """As somebody has typed it."""

    values: dict[str, Any] = {}
    """As a file has it; ``config`` wins."""


class Answer(msgspec.Struct):
    """A document and what must be said about it; or why it is refused."""

    document: dict[str, Any] = {}
    warnings: list[str] = []
    refused: str = ""
    comments: dict[str, str] = {}
    """What the items are for, by alias: neither document has a field for it."""


def answer(plugin: Plugin, question: dict[str, Any]) -> dict[str, Any]:
    """The document as plain data, for another process. Raises PluginError."""
    try:
        made = make(plugin, msgspec.convert(question, Asked))
        plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(made))
    except BaseException as error:  # the defaults and checks of a schema are code of the plugin's
        words = one_line(f"{type(error).__name__}: {error}")
        raise PluginError(f"{plugin.found}: its definition cannot be made: {words}") from error
    return plain


def make(plugin: Plugin, asked: Asked) -> Answer:
    """The document for one plugin."""
    items = plugin.schema.items if plugin.schema else []
    module = asked.format == "module"
    if (asked.config or asked.values) and not module:
        return Answer(
            refused="a definition has no values: --config and --values are for --format module"
        )
    values, refused = _read_values(plugin.schema, asked)
    if refused:
        return Answer(refused=refused)
    if asked.image and (problem := image_problem(asked.image)):
        return Answer(refused=f"--image: {problem}")
    described = [Described(item) for item in items]
    warnings = []
    for one in described:
        texts = [] if module and one.kind is _FLOAT else one.warnings
        if module:
            texts = [*texts, *_module_warnings(one, one.item.alias in values)]
        warnings += [f"{one.item.alias}: {text}" for text in texts]
    name = re.sub(r"[^a-z0-9]+", "-", plugin.found.package.lower())
    tag = re.sub(r"[^\w.-]", "-", plugin.found.version)
    image = asked.image or f"registry.example.com/{name}:{tag}"
    if not asked.image:
        warnings.append(f"{image} stands in for the image; name yours with --image")
    spec: dict[str, Any] = {"image": image}
    if plugin.permissions:
        spec["permissions"] = list(plugin.permissions)
    document = _module(plugin.found, described, spec, values) if module else None
    return Answer(
        document or _custom(plugin, described, spec),
        warnings,
        comments={item.alias: item.description for item in items if item.description},
    )


def _custom(plugin: Plugin, described: list[Described], spec: dict[str, Any]) -> dict[str, Any]:
    found = plugin.found
    metadata = {
        "name": found.package,
        "version": found.version,
        "supportedOperatorVersion": SUPPORTED,
        "description": found.summary,
        "author": _author(found.package),
        "category": plugin.category,
        "resource_usage": plugin.resource_usage,
    }
    document: dict[str, Any] = {
        "kind": "Custom",
        "metadata": {key: value for key, value in metadata.items() if value},
    }
    if described:
        document["config"] = [
            {"type": one.kind[0], "name": one.name, "alias": one.item.alias, "spec": one.spec}
            for one in described
        ]
    return {**document, "spec": spec}


def _module(
    found: Found, described: list[Described], custom: dict[str, Any], values: dict[str, Any]
) -> dict[str, Any]:
    document: dict[str, Any] = {
        "apiVersion": "batch.forkspacer.com/v1",
        "kind": "Module",
        "metadata": {"name": _label(found.name), "namespace": "default"},
    }
    items = [
        {"name": one.name, "alias": one.item.alias, one.kind[1]: one.spec}
        for one in described
        if one.kind is not _FLOAT
    ]
    if items:
        document["config"] = items
    document["spec"] = {
        "workspace": {"name": _WORKSPACE, "namespace": "default"},
        "custom": custom,
    }
    if values:
        document["spec"]["config"] = values
    return document


def _label(name: str) -> str:
    """The name as one that a Module may have."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower())[:_LONGEST_NAME].strip("-") or "module"


def _author(package: str) -> str:
    """The authors' names, from whichever of the two fields the package has."""
    metadata = importlib.metadata.metadata(package)
    if "Author" in metadata:
        return metadata["Author"]
    addresses = email.utils.getaddresses(metadata.get_all("Author-email") or [])
    return ", ".join(name or address for name, address in addresses if name or address)


class Described:
    """An item as both documents have it, and what is wrong with it in either."""

    def __init__(self, item: Item) -> None:
        self.item = item
        self.name = item.title or item.name.replace("_", " ").strip().capitalize()
        self.required = item.required or item.extra.get("required") is True
        self.editable = item.extra.get("editable") is not False
        self.warnings: list[str] = []
        self.kind, rules = self._rules()
        self.spec: dict[str, Any] = {"required": self.required}
        default = self._default(rules.get("values"))
        if default is not None:
            self.spec["default"] = default
            if self.required:
                self.warnings.append(
                    "it is required and has a default, which will never be used: the operator"
                    " refuses a missing value of what is required"
                )
        self.spec |= {key: value for key, value in rules.items() if value is not None}
        self.spec["editable"] = self.editable

    def _rules(self) -> tuple[tuple[str, str], dict[str, Any]]:
        """The type, and what the operator looks at in a value."""
        match self.item.info:
            case inspect.BoolType():
                return _BOOLEAN, {}
            case inspect.IntType() as info:
                self._only_the_host(f"multiples of {info.multiple_of}", info.multiple_of)
                least = info.ge if info.gt is None else info.gt + 1
                most = info.le if info.lt is None else info.lt - 1
                return _INTEGER, {"min": least, "max": most}
            case inspect.FloatType() as info:
                self._only_the_host(f"multiples of {info.multiple_of}", info.multiple_of)
                self._only_the_host(f"numbers above {info.gt}, not {info.gt} itself", info.gt)
                self._only_the_host(f"numbers below {info.lt}, not {info.lt} itself", info.lt)
                return _FLOAT, {
                    "min": info.ge if info.gt is None else info.gt,
                    "max": info.le if info.lt is None else info.lt,
                }
            case inspect.StrType() as info:
                self._only_the_host(
                    f"at least {info.min_length} characters", info.min_length or None
                )
                self._only_the_host(f"at most {info.max_length} characters", info.max_length)
                self.warnings += regex_warnings(info.pattern or "")
                return _STRING, {"regex": info.pattern or None}
            case inspect.ListType() | inspect.SetType() | inspect.VarTupleType() as info:
                values = self._in_order(options_of(info.item_type))
                return _OPTIONS, {"values": values, "min": info.min_length, "max": info.max_length}
        return _OPTION, {"values": self._in_order(options_of(self.item.info))}

    def _only_the_host(self, what: str, rule: object) -> None:
        if rule is not None:
            self.warnings.append(
                f"it takes {what}, which the operator does not check: another value passes there"
                " and fails the install"
            )

    def _in_order(self, texts: list[str]) -> list[str]:
        """The options in the order of the source: msgspec sorts those of a ``Literal``."""
        written = list(_literals(self.item.field.type))
        return sorted(texts, key=lambda text: written.index(text) if text in written else 0)

    def _default(self, values: list[str] | None) -> Any:
        """The default as JSON has it; None when there is none that the item itself would take."""
        default = self.item.default()
        if default and self.item.secret:
            self.warnings.append("its default is secret, so it is left out")
            return None
        try:
            plain = msgspec.to_builtins(default)
            if plain is None:
                return None
            plain = msgspec.to_builtins(self.item.convert(plain))
            if isinstance(plain, float) and not math.isfinite(plain):
                raise ValueError
        except (ValueError, TypeError):
            takes = self.item.takes
            self.warnings.append(f"its default is left out, for it is not what it takes: {takes}")
            return None
        if isinstance(default, set | frozenset) and values is not None:
            return [value for value in values if value in plain]
        return list(plain) if isinstance(plain, tuple) else plain


def _literals(annotation: object) -> Iterator[object]:
    """What stands in the ``Literal`` of a type, wherever in it that is."""
    for part in get_args(annotation):
        if get_origin(annotation) is Literal:
            yield part
        else:
            yield from _literals(part)


def _module_warnings(one: Described, is_given: bool) -> Iterator[str]:
    """What the operator gets wrong, or is hard on, in the Modules of its newer format."""
    if one.kind is _FLOAT:
        yield (
            "a Module's config has no floats, so it is left out there; a value under spec.config"
            " passes all the same, and the host checks it"
        )
    if one.kind is _OPTIONS:
        yield (
            "the operator refuses every value for a list of options"
            + (": take this one away" if is_given else "")
            + "; only the default works, and min and max are never looked at"
        )
    if not one.editable and is_given and one.kind is not _FLOAT:
        yield "it is not editable, so the operator refuses the value: take it away"
    if one.required and not is_given:
        if one.kind is _FLOAT or (one.editable and one.kind is not _OPTIONS):
            yield f"it is required: give it a value with --config {one.item.alias}=..."
        else:
            yield "it is required, yet the operator takes no value: it can never be installed"
    if one.item.secret and is_given:
        yield "it is secret, but whoever may read the Module can read its spec.config"


def _read_values(schema: Schema | None, asked: Asked) -> tuple[dict[str, Any], str]:
    """The values as JSON has them, and why they are refused."""
    if schema is None:
        typed = {alias: _from_json(text) for alias, text in asked.config.items()}
        return asked.values | typed, ""
    items = {item.alias: item for item in schema.items}
    values: dict[str, Any] = {}
    problems = []
    for alias in asked.values | asked.config:
        if alias not in items:
            close = get_close_matches(alias, items, 1)
            cure = (
                f"did you mean {close[0]}?" if close else f"there are {', '.join(items) or 'none'}"
            )
            problems.append(f"there is no item {alias}; {cure}")
            continue
        if alias in asked.config:
            values[alias] = _value(items[alias], asked.config[alias])
        else:
            values[alias] = asked.values[alias]
        try:
            items[alias].convert(values[alias])
        except (ValueError, TypeError):
            problems.append(f"{alias}: it takes {items[alias].takes}")
    if problems:
        options = [f"--{name}" for name in ("config", "values") if getattr(asked, name)]
        return {}, f"{' and '.join(options)}: {'; '.join(problems)}"
    missing = any(item.required and item.alias not in values for item in schema.items)
    if missing or not values:
        return values, ""
    try:
        schema.convert(values)
    except ConfigError as error:
        return values, f"--{error}"
    return values, ""


def _value(item: Item, text: str) -> Any:
    """The value that somebody has typed: text as it is, a list of options with commas."""
    match item.info:
        case inspect.StrType() | inspect.LiteralType() | inspect.EnumType():
            return text
        case inspect.ListType() | inspect.SetType() | inspect.VarTupleType():
            value = _from_json(text)
            return value if isinstance(value, list) else [part for part in text.split(",") if part]
    return _from_json(text)


def _from_json(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
