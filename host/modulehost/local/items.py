"""The items of a module's config, in the two formats that the operator has had."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta


class Rule(msgspec.Struct):
    """What all types have."""

    required: bool = False
    editable: bool = True


class IntegerRule(Rule):
    """A whole number."""

    default: int = 0
    min: int | None = None
    max: int | None = None


class BooleanRule(Rule):
    """True or false."""

    default: bool = False


class StringRule(Rule):
    """A text."""

    default: str = ""
    regex: str | None = None


class OptionRule(Rule, kw_only=True):
    """One of several texts."""

    values: Annotated[list[str], Meta(min_length=1)]
    default: str = ""


class OptionsRule(Rule, kw_only=True):
    """Some of several texts."""

    values: Annotated[list[str], Meta(min_length=1)]
    default: list[str] | None = None
    min: int | None = None
    max: int | None = None


class NewItem(msgspec.Struct):
    """An item of a Module's ``config``: one of the five rules, the first that is there."""

    name: str
    alias: str
    integer: IntegerRule | None = None
    boolean: BooleanRule | None = None
    string: StringRule | None = None
    option: OptionRule | None = None
    multipleOptions: OptionsRule | None = None  # noqa: N815 - as it is written


class OldRule(msgspec.Struct):
    """What any type of the older format may have. What is not written is false or nothing there."""

    required: bool = False
    editable: bool = False
    default: Any = None
    values: list[str | bool | int | float] | None = None
    regex: str | None = None
    min: float | None = None
    max: float | None = None

    @property
    def options(self) -> list[str]:
        """The values as Go reads them: all are texts there."""
        texts = (one if isinstance(one, str) else str(one) for one in self.values or ())
        return [text.lower() if text in ("True", "False") else text for text in texts]


class OldItem(msgspec.Struct):
    """An item of a definition's ``config``."""

    type: Literal["string", "integer", "float", "boolean", "option", "multiple-options"]
    alias: str
    name: str = ""
    spec: OldRule = msgspec.field(default_factory=OldRule)


Items: TypeAlias = list[NewItem] | list[OldItem]
"""The config of a Module, in either format."""
