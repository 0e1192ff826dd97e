"""The schema of a module's config: values in, a Struct out.

A schema is a flat ``msgspec.Struct`` whose fields have Forkspacer's six types: text, integer,
float, boolean, option (``Literal`` or ``Enum``) and multiple options (a list of those). The
operator passes what the user wrote, without the schema's defaults, so they are filled in here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from functools import reduce
from operator import or_
from types import UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

import msgspec
from msgspec import inspect

from modulehost.plugin.secret import Secret
from modulehost.shared.describe import is_a, text_of, what_it_says
from modulehost.shared.errors import ConfigError

FILE = "config.json"

_NOT_FLAT = (
    "is none of the six types of a Forkspacer config: str, int, float, bool, Literal or Enum of"
    " texts, list of those"
)

_EXTRA: Final = ("editable", "required", "secret")
"""What ``Meta(extra={...})`` may say, true or false; a key with a dot is somebody else's."""


class Item:
    """One field of a schema."""

    def __init__(self, field: msgspec.structs.FieldInfo) -> None:
        self.name = field.name
        self.alias = field.encode_name
        self.required = field.required
        self.field = field
        self.type = _revealed(field.type)
        self.is_wrapped = self.type != field.type
        info = _without_none(inspect.type_info(self.type))
        self.title = self.description = ""
        self.extra: dict[str, Any] = {}
        while isinstance(info, inspect.Metadata):  # the outermost first, and that one wins
            told = info.extra_json_schema or {}
            self.title = self.title or told.get("title", "")
            self.description = self.description or told.get("description", "")
            self.extra = {**(info.extra or {}), **self.extra}
            info = _without_none(info.type)
        self.info = info

    @property
    def secret(self) -> bool:
        """Whether the value must not be shown."""
        return self.is_wrapped or bool(self.extra.get("secret"))

    @property
    def takes(self) -> str:
        """What the item takes, in words; "" when its type is none of the six."""
        return _describe(self.info)

    def convert(self, value: object) -> object:
        """The value as the field's type; raises ValueError. 3.0 is an integer; "3" is not."""
        if isinstance(self.info, inspect.IntType) and isinstance(value, float):
            value = int(value) if value.is_integer() else value
        value = msgspec.convert(value, self.type)
        return Secret(value) if self.is_wrapped else value

    def default(self) -> Any:
        """What it is when nothing is given; None when it has no default."""
        value = self.field.default
        if self.field.default_factory is not msgspec.NODEFAULT:
            value = self.field.default_factory()
        if value is msgspec.NODEFAULT:
            return None
        return value.reveal() if isinstance(value, Secret) else value

    def problems(self) -> Iterator[str]:
        """What is wrong with the item itself, each with its cure."""
        if not self.takes:
            yield f"config item {self.name!r} {_NOT_FLAT}"
        for key, value in self.extra.items():
            if key not in _EXTRA and "." not in str(key):
                yield f"config item {self.name!r}: extra has {key!r}; {_meant(str(key))}"
            elif key in _EXTRA and not isinstance(value, bool):
                yield f"config item {self.name!r}: {key!r} in its extra takes True or False"
        default = self.field.default
        if self.is_wrapped and not (default in (None, msgspec.NODEFAULT) or is_a(default, Secret)):
            yield f"config item {self.name!r}: its default is no Secret; write Secret(...)"
        elif self.takes and not self._takes_default():
            yield (
                f"config item {self.name!r}: its default is not what it takes: {self.takes};"
                " correct one of them"
            )
        if pattern := getattr(self.info, "pattern", None):
            from modulehost.plugin.re2 import not_re2

            if lacks := not_re2(pattern):
                yield (
                    f"config item {self.name!r}: the operator cannot read its regex, for RE2 has"
                    f" no {lacks}; write it without"
                )

    def _takes_default(self) -> bool:
        """None is the same as nothing; a factory is not called before it must be."""
        if not (self.field.default is None or self.field.default is msgspec.NODEFAULT):
            default = self.default()
            try:
                self.convert(msgspec.to_builtins(default))
            except (ValueError, TypeError):
                return False
        return True


def _meant(key: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(key.lower(), _EXTRA, 1)
    return f"did you mean {close[0]!r}?" if close else f"the keys are {', '.join(_EXTRA)}"


def _revealed(kind: Any) -> Any:
    """The type with ``T`` for each ``Secret[T]``: what a value is checked against."""
    if kind is Secret:
        return str
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Secret:
        return _revealed(arguments[0])
    if origin is Annotated:
        return Annotated[(_revealed(arguments[0]), *arguments[1:])]
    if origin in (Union, UnionType):
        return reduce(or_, map(_revealed, arguments))
    return kind


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
        return [problem for item in self.items for problem in item.problems()]

    def convert(
        self, values: dict[str, Any], redact: Callable[[str], str] = str
    ) -> tuple[msgspec.Struct, list[str]]:
        """The config with its defaults, and the keys that the schema does not know.

        Raises ConfigError with every problem at once, by alias, never with a value; ``redact``
        takes the secrets out of what the plugin's own checks say.
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
        except BaseException as error:  # of the plugin's own checks
            is_check = is_a(error, ValueError, TypeError)  # what __post_init__ should raise
            words = (is_check and text_of(error)) or what_it_says(error)
            raise ConfigError(f"config: {redact(words)}") from error
        return config, unknown

    def secrets(self, values: dict[str, Any]) -> dict[str, list[str]]:
        """The texts of the secret items, by alias: of what is given, else of the defaults."""
        found = {}
        for item in self.items:
            if item.secret:
                value = values.get(item.alias)
                found[item.alias] = list(_texts(item.default() if value is None else value))
        return found

    def pick(self, metadata: dict[str, Any]) -> dict[str, Any]:
        """The keys of a body that are aliases of the schema."""
        return {i.alias: metadata[i.alias] for i in self.items if i.alias in metadata}


def _texts(value: Any) -> Iterator[str]:
    """How a value can show itself; a boolean says nothing."""
    match value:
        case None | bool():
            return
        case Enum():
            yield from _texts(value.value)
        case int() | float():
            yield str(value)
            if isinstance(value, float) and value.is_integer():
                yield str(int(value))
        case dict():
            for one in value.values():
                yield from _texts(one)
        case list() | tuple() | set() | frozenset():
            for one in value:
                yield from _texts(one)
        case str() if value:
            yield value


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
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    try:
        values = msgspec.json.decode(text or b"{}")
    except (ValueError, RecursionError):
        raise ConfigError(f"{path} is not JSON") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path} is not a JSON object")
    return values
