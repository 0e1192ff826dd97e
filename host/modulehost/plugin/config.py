"""The schema of a module's config: values in, a Struct out.

A schema is a flat ``msgspec.Struct`` whose fields have Forkspacer's six types: text, integer,
float, boolean, option (``Literal`` or ``Enum``) and multiple options (a list of those). The
operator passes what the user wrote, without the schema's defaults, so they are filled in here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from enum import Enum
from typing import Any

import msgspec
from msgspec import inspect

from modulehost.shared.describe import is_a, reason_of, text_of
from modulehost.shared.errors import ConfigError

FILE = "config.json"
KUBECONFIG = "workspace_kubeconfig"

_NOT_FLAT = (
    "is none of the six types of a Forkspacer config: str, int, float, bool, Literal or Enum of"
    " texts, list of those"
)


class Item:
    """One field of a schema."""

    def __init__(self, field: msgspec.structs.FieldInfo) -> None:
        self.name = field.name
        self.alias = field.encode_name
        self.required = field.required
        self.field = field
        info = _without_none(inspect.type_info(field.type))
        self.title = ""
        self.extra: dict[str, Any] = {}
        while isinstance(info, inspect.Metadata):  # the outermost first, and that one wins
            self.title = self.title or (info.extra_json_schema or {}).get("title", "")
            self.extra = {**(info.extra or {}), **self.extra}
            info = _without_none(info.type)
        self.info = info

    @property
    def secret(self) -> bool:
        """Whether the value must not be shown."""
        return bool(self.extra.get("secret"))

    @property
    def takes(self) -> str:
        """What the item takes, in words; "" when its type is none of the six."""
        return _describe(self.info)

    def convert(self, value: object) -> object:
        """The value as the field's type; raises ValueError. 3.0 is an integer; "3" is not."""
        if isinstance(self.info, inspect.IntType) and isinstance(value, float):
            value = int(value) if value.is_integer() else value
        return msgspec.convert(value, self.field.type)


def _without_none(info: inspect.Type) -> inspect.Type:
    """``T | None`` as T: null in a config is the same as nothing."""
    if isinstance(info, inspect.UnionType):
        types = [one for one in info.types if not isinstance(one, inspect.NoneType)]
        if len(types) == 1:
            return types[0]
    return info


def _describe(info: inspect.Type) -> str:
    match info:
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType() | inspect.FloatType():
            kind = "an integer" if isinstance(info, inspect.IntType) else "a number"
            bounds = [
                f"{words} {bound}"
                for words, bound in (
                    ("of at least", info.ge),
                    ("above", info.gt),
                    ("of at most", info.le),
                    ("below", info.lt),
                )
                if bound is not None
            ]
            return " and ".join([f"{kind} {bounds[0]}", *bounds[1:]]) if bounds else kind
        case inspect.StrType():
            rules = [f"matching {info.pattern!r}"] if info.pattern else []
            rules += [f"of at least {info.min_length} characters"] if info.min_length else []
            rules += [f"of at most {info.max_length} characters"] if info.max_length else []
            return f"text {' and '.join(rules)}".rstrip()
        case inspect.LiteralType() | inspect.EnumType():
            options = options_of(info)
            return "one of " + ", ".join(options) if options else ""
        case inspect.ListType() | inspect.SetType() | inspect.VarTupleType():
            options = options_of(info.item_type)
            return "a list of " + ", ".join(options) if options else ""
    return ""


def options_of(info: inspect.Type) -> list[str]:
    """The texts that an option may be; empty when the type is no option of texts."""
    if isinstance(info, inspect.LiteralType):
        values: Iterable[object] = info.values
    elif isinstance(info, inspect.EnumType):
        values = [member.value for member in _members(info.cls)]
    else:
        return []
    texts = [value for value in values if isinstance(value, str)]
    return texts if len(texts) == len(list(values)) else []


def _members(cls: type[Enum]) -> list[Enum]:
    return list(cls)


class Schema:
    """The items of a plugin's config class."""

    def __init__(self, cls: type[msgspec.Struct]) -> None:
        self._cls = cls
        self.items = [Item(field) for field in msgspec.structs.fields(cls)]

    def problems(self) -> list[str]:
        """What is wrong with the schema itself, a line each."""
        return [f"config item {i.name!r} {_NOT_FLAT}" for i in self.items if not i.takes]

    def convert(self, values: dict[str, Any]) -> tuple[msgspec.Struct, list[str]]:
        """The config with its defaults, and the keys that the schema does not know.

        Raises ConfigError with every problem at once, by alias, never with a value.
        """
        converted: dict[str, object] = {}
        problems = []
        for item in self.items:
            value = values.get(item.alias)
            if value is None:
                if item.required:
                    problems.append(f"{item.alias}: missing; it takes {item.takes}")
                continue
            try:
                converted[item.name] = item.convert(value)
            except (ValueError, TypeError):
                problems.append(f"{item.alias}: it takes {item.takes}, not {_kind(value, item)}")
        unknown = sorted(values.keys() - {item.alias for item in self.items})
        if problems:  # the cause may be a key with a mistake in it
            problems += [f"{key}: there is no such item" for key in unknown]
            raise ConfigError("config: " + "; ".join(problems))
        try:
            config = self._cls(**converted)
        except BaseException as error:
            is_check = is_a(error, ValueError, TypeError)  # what __post_init__ should raise
            words = (is_check and text_of(error)) or reason_of(error)
            raise ConfigError(f"config: {words}") from error
        return config, unknown

    def secrets(self, config: msgspec.Struct) -> list[str]:
        """The texts of the items that are marked as secret."""
        values = [getattr(config, item.name) for item in self.items if item.secret]
        return [str(value) for value in values if value not in (None, "")]

    def pick(self, metadata: dict[str, Any]) -> dict[str, Any]:
        """The keys of a body that are aliases of the schema."""
        return {i.alias: metadata[i.alias] for i in self.items if i.alias in metadata}


def _kind(value: object, item: Item) -> str:
    """What was given, without the value itself."""
    kinds = {str: "text", bool: "a boolean", int: "an integer", list: "a list", dict: "an object"}
    kind = kinds.get(type(value), "a fraction")
    if isinstance(value, float) and value.is_integer():
        kind = "an integer"
    other = {"text": "one of", "an integer": "a number", "a fraction": "a number"}.get(kind, kind)
    return f"this {kind.split()[-1]}" if item.takes.startswith((kind, other)) else kind


def read_file(folder: str) -> dict[str, Any] | None:
    """The values in config.json; None where there is no such file. Raises ConfigError."""
    path = f"{folder}/{FILE}"
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib is dear
            text = file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    try:
        values = msgspec.json.decode(text or b"{}")
    except (ValueError, RecursionError):
        raise ConfigError(f"{path} is not JSON") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path} is not a JSON object")
    return values


def kubeconfig(folder: str) -> str | None:
    """The path of the workspace's kubeconfig, when the operator has mounted one."""
    path = f"{folder}/{KUBECONFIG}"
    return path if os.path.isfile(path) else None  # noqa: PTH113 - pathlib is dear
