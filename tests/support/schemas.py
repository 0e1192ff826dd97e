"""Config schemas, any of them: for what must hold whatever a plugin's author has written."""

from __future__ import annotations

import copy
import enum
import functools
import keyword
from typing import Annotated, Any, Literal

import msgspec
from hypothesis import strategies as st
from msgspec import Meta

from support.properties import TEXTS

_annotated: Any = Annotated  # these are made of values, which type checkers do not follow
_literal: Any = Literal
_enum: Any = enum.Enum

_PATTERNS = {"": TEXTS, "^[a-z]+$": st.just("abc"), "x": st.just("it is x.")}
_NAMES = st.from_regex("[a-z]{1,6}(_[a-z]{1,4})?", fullmatch=True)
_INTEGERS = st.integers(-(2**53), 2**53)
_FLOATS = st.floats(-1e12, 1e12)


@st.composite
def _texts(draw: st.DrawFn) -> tuple[Any, Any]:
    pattern = draw(st.sampled_from([*_PATTERNS]))
    default = draw(_PATTERNS[pattern])
    longest = draw(st.none() | st.just(len(default)))
    return _annotated[str, Meta(pattern=pattern or None, max_length=longest)], default


@st.composite
def _numbers(draw: st.DrawFn) -> tuple[Any, Any]:
    kind, numbers = draw(st.sampled_from([(int, _INTEGERS), (float, _FLOATS)]))
    default, *bounds = draw(st.lists(numbers, min_size=1, max_size=3, unique=True))
    meta: dict[str, Any] = {}
    for bound in bounds:
        wide, strict = ("ge", "gt") if bound < default else ("le", "lt")
        if not {wide, strict} & meta.keys():
            meta[draw(st.sampled_from([wide, strict]))] = bound
    return (_annotated[kind, Meta(**meta)] if meta else kind), default


@st.composite
def _options(draw: st.DrawFn) -> tuple[Any, Any]:
    texts = draw(st.lists(TEXTS, min_size=1, max_size=4, unique=True))
    option: Any = _literal[tuple(texts)]
    members: list[Any] = texts
    if draw(st.booleans()):
        option = _enum("Option", {f"M{n}": text for n, text in enumerate(texts)})
        members = [*option]
    if draw(st.booleans()):
        return option, draw(st.sampled_from(members))
    chosen = draw(st.lists(st.sampled_from(members), max_size=3, unique=True))
    container: Any = draw(st.sampled_from([list, set, tuple]))
    kind = tuple[option, ...] if container is tuple else container[option]
    return kind, container(chosen)


@st.composite
def schemas(draw: st.DrawFn) -> type[msgspec.Struct]:
    """A class with up to six fields of Forkspacer's six types; every default is a good one."""
    fields: list[Any] = []
    names = draw(st.lists(_NAMES, max_size=6, unique=True))
    for name in names:
        kind, default = draw(
            _texts() | _numbers() | _options() | st.tuples(st.just(bool), st.booleans())
        )
        extra = dict.fromkeys(draw(st.sets(st.sampled_from(["editable", "secret"]))), False)
        kind = _annotated[kind, Meta(title=draw(st.none() | TEXTS), extra=extra)]
        match draw(st.sampled_from(["required", "default", "default", "none"])):
            case "required":
                fields.append((name, kind))
            case "none":
                fields.append((name, kind | None, None))
            case _:
                factory = functools.partial(copy.copy, default)
                fields.append((name, kind, msgspec.field(default_factory=factory)))
    rename: Any = draw(st.sampled_from([None, "camel", "kebab"]))
    fields = [(f"{f[0]}_", *f[1:]) if keyword.iskeyword(f[0]) else f for f in fields]
    made: type[msgspec.Struct] = msgspec.defstruct("Config", fields, rename=rename, kw_only=True)
    return made
