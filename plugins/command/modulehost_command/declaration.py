"""``module.toml``: what a module that is written in Python says in its manager's attributes.

    permissions = ["workspace"]
    deadlines = { install = 1800 }

    [config.replicas]
    type = "integer"
    default = 1
    min = 1
    max = 10

The settings have the types and the words of Forkspacer's resource definitions.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
from msgspec import UNSET, Meta, UnsetType

from modulehost import ModuleError

FILE: Final = "module.toml"

_annotated: Any = Annotated  # these are made of values, which type checkers do not follow
_literal: Any = Literal

_ALIAS: Final = re.compile("[A-Za-z][A-Za-z0-9_]*")


class Setting(msgspec.Struct, tag_field="type", forbid_unknown_fields=True, kw_only=True):
    """What all types of settings have. One without a default is required."""

    name: str | None = None
    description: str | None = None
    secret: bool = False
    editable: bool = True
    required: bool | UnsetType = UNSET
    default: Any = UNSET

    def annotation(self) -> Any:
        """The type of the value; raises ValueError when there is no such type."""
        raise NotImplementedError

    def field(self) -> tuple[Any, Any]:
        """The annotation and the default, as ``msgspec.defstruct`` takes them."""
        extra = {"secret": self.secret, "editable": self.editable}
        meta = Meta(title=self.name, description=self.description, extra=extra)
        kind: Any = _annotated[self.annotation(), meta]
        if self.default is UNSET:
            return (kind, msgspec.NODEFAULT) if self.required is not False else (kind | None, None)
        if self.required is True:
            raise ValueError(
                "it is required and has a default, but the operator refuses a missing value of"
                " what is required; take one of them away"
            )
        try:
            value = msgspec.convert(self.default, kind)
        except msgspec.ValidationError as error:
            raise ValueError(f"its default does not fit: {error}") from None
        if isinstance(value, list):
            return kind, msgspec.field(default_factory=lambda: list(value))
        return kind, value


class Text(Setting, tag="string"):
    """Text, of which the regular expression must match a part."""

    regex: str | None = None

    def annotation(self) -> Any:
        try:
            re.compile(self.regex or "")
        except re.error as error:
            raise ValueError(f"its regex is none: {error}") from None
        return Annotated[str, Meta(pattern=self.regex)]


class Integer(Setting, tag="integer"):
    """A whole number."""

    min: int | None = None
    max: int | None = None

    def annotation(self) -> Any:
        return Annotated[int, Meta(ge=self.min, le=self.max)]


class Float(Setting, tag="float"):
    """A number."""

    min: float | None = None
    max: float | None = None

    def annotation(self) -> Any:
        return Annotated[float, Meta(ge=self.min, le=self.max)]


class Boolean(Setting, tag="boolean"):
    """True or false."""

    def annotation(self) -> Any:
        return bool


class Option(Setting, tag="option"):
    """One of several texts."""

    values: Annotated[list[str], Meta(min_length=1)]

    def annotation(self) -> Any:
        return _literal[tuple(self.values)]


class Options(Setting, tag="multiple-options"):
    """Some of several texts."""

    values: Annotated[list[str], Meta(min_length=1)]
    min: Annotated[int, Meta(ge=0)] | None = None
    max: Annotated[int, Meta(ge=0)] | None = None

    def annotation(self) -> Any:
        item: Any = _literal[tuple(self.values)]
        return Annotated[list[item], Meta(min_length=self.min, max_length=self.max)]


_AnySetting = Text | Integer | Float | Boolean | Option | Options
_TYPES: Final = [cls.__struct_config__.tag for cls in Setting.__subclasses__()]


class _File(msgspec.Struct, forbid_unknown_fields=True):
    permissions: tuple[Literal["workspace", "controller"], ...] = ("workspace",)
    deadlines: dict[
        Literal["install", "uninstall", "sleep", "resume"], Annotated[float, Meta(gt=0)]
    ] = {}
    config: dict[str, Any] = {}


class Declaration(NamedTuple):
    """What a manager has as its attributes."""

    config: type[msgspec.Struct]
    permissions: tuple[str, ...]
    deadlines: dict[str, float]


def read(folder: str) -> Declaration | None:
    """What the file in the folder declares; None without one. Raises ModuleError."""
    path = f"{folder}/{FILE}"
    try:
        with open(path, "rb") as file:
            text = file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ModuleError(f"{path} cannot be read: {error.strerror}") from None
    try:
        values = msgspec.toml.decode(text)
    except ValueError as error:
        raise ModuleError(f"{path} is not TOML: {error}") from None
    try:
        found = msgspec.convert(values, _File)
    except msgspec.ValidationError as error:
        raise ModuleError(f"{path}: {error}") from None
    fields = []
    problems = []
    for alias, value in found.config.items():
        try:
            fields.append((alias, *_setting(alias, value).field()))
        except ValueError as error:
            problems.append(f"config.{alias}: {error}")
    if problems:
        raise ModuleError(f"{path}: {'; '.join(problems)}")
    return Declaration(
        msgspec.defstruct("Config", fields, kw_only=True),
        found.permissions,
        {str(operation): seconds for operation, seconds in found.deadlines.items()},
    )


def _setting(alias: str, value: Any) -> Setting:
    if not _ALIAS.fullmatch(alias):
        raise ValueError(
            "a name must be letters, digits and underscores, the first a letter: it becomes part"
            " of the name of an environment variable"
        )
    if not isinstance(value, dict):
        raise ValueError("it is no table; write it as [config.NAME]")
    if value.get("type") not in _TYPES:
        raise ValueError(f"its type must be one of {', '.join(map(str, _TYPES))}")
    setting: Setting = msgspec.convert(value, _AnySetting)
    return setting
