"""Describes what belongs to somebody else: exceptions and values of a plugin. Never raises.

A class of theirs may lie or raise wherever Python asks it something: ``__str__``, ``__class__``,
``__name__``, a metaclass. So a value is asked for its text only, guarded; the rest is read past
its class, with the methods of ``type``, ``str`` and ``BaseException`` themselves.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Final

from modulehost.shared.errors import MAX_REASON, Cancelled, ModuleError, one_line

_LONGEST: Final = 100_000  # characters that are looked at of a text
_MOST_CAUSES: Final = 100
_OURS: Final = os.path.dirname(os.path.dirname(__file__)) + os.sep  # noqa: PTH120 - as in co_filename
_MACHINERY: Final = ("pluggy", "importlib")  # what stands between us and a plugin

_name = type.__dict__["__name__"].__get__
_frames_of = BaseException.__dict__["__traceback__"].__get__
_cause_of = BaseException.__dict__["__cause__"].__get__
_context_of = BaseException.__dict__["__context__"].__get__
_members_of = BaseExceptionGroup.__dict__["exceptions"].__get__


def exact(text: str) -> str:
    """A text as a ``str`` itself: an heir's methods are its author's."""
    return str.__str__(text)


def text_of(value: object) -> str:
    """``str(value)``; "" where it has none."""
    try:
        return exact(str(value))[:_LONGEST]
    except BaseException:  # noqa: BLE001 - SystemExit and KeyboardInterrupt, too
        return ""


def type_name(value: object) -> str:
    """The name of a value's type, whatever its class says of itself."""
    return one_line(exact(_name(type(value)))) or "a nameless type"


def is_a(value: object, *kinds: type) -> bool:
    """``isinstance`` by what a value is, not by what its ``__class__`` says."""
    return issubclass(type(value), kinds)


def what_it_says(error: BaseException) -> str:
    """An exception in words that may have several lines: ``KeyError: 'replicas'``.

    What is meant for people, ``ModuleError`` and ``Cancelled``, is its text alone, if it has one.
    """
    text, name = text_of(error), type_name(error)
    if not one_line(text):
        return name
    return text if is_a(error, ModuleError, Cancelled) else f"{name}: {text}"


def reason_of(error: BaseException, limit: int = MAX_REASON) -> str:
    """The same on one line."""
    return one_line(what_it_says(error), limit)


def with_causes(error: BaseException | None) -> Iterator[BaseException]:
    """An exception, and those that it comes from or that it holds, as far as can be seen."""
    left, seen = [error], set[int]()
    while left and len(seen) < _MOST_CAUSES:
        one = left.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        left += [_cause_of(one), _context_of(one)]
        if is_a(one, BaseExceptionGroup):
            left += _members_of(one)


def traceback_of(error: BaseException) -> str:
    """The traceback without the frames that stand above the plugin's."""
    try:
        import traceback

        first = _first_of_theirs(_frames_of(error))
        try:
            told = traceback.TracebackException(type(error), error, first, compact=True)
            return "".join(told.format()).rstrip()
        except BaseException:  # noqa: BLE001 - of a class of theirs
            return "".join([*traceback.format_tb(first), what_it_says(error)])
    except BaseException:  # noqa: BLE001 - of a module that they have replaced
        return what_it_says(error)


def place_of(error: BaseException, package: str) -> str:
    """Where in a package's code an exception was raised: ``shop/manager.py, line 12``.

    That is the package's innermost frame; of a SyntaxError what cannot be read. "" where there is
    none.
    """
    try:
        if is_a(error, SyntaxError):
            path, line = error.filename, error.lineno  # type: ignore[attr-defined]
            if type(path) is str and path.startswith("/") and type(line) is int:
                return f"{_shorter(path)}, line {line}"
        frames = [*_walk(_frames_of(error))]
        own = [(f, n) for f, n in frames if f"{_module_of(f)}.".startswith(f"{package}.")]
        frame, line = [(f, n) for f, n in own if not f.f_code.co_filename.startswith("<")][-1]
        return f"{_shorter(exact(frame.f_code.co_filename))}, line {line}"
    except BaseException:  # noqa: BLE001 - there is none, or it is of a class of theirs
        return ""


def _first_of_theirs(frames: TracebackType | None) -> TracebackType | None:
    while frames is not None and _is_machinery(frames.tb_frame):
        frames = frames.tb_next
    return frames


def _is_machinery(frame: FrameType) -> bool:
    if exact(frame.f_code.co_filename).startswith(_OURS):
        return True
    return _module_of(frame).partition(".")[0] in _MACHINERY


def _module_of(frame: FrameType) -> str:
    name = dict.get(frame.f_globals, "__name__")
    return name if type(name) is str else ""


def _walk(frames: TracebackType | None) -> Iterator[tuple[FrameType, int]]:
    while frames is not None:
        yield frames.tb_frame, frames.tb_lineno
        frames = frames.tb_next


def _shorter(path: str) -> str:
    """A file's path from the folder on ``sys.path`` that it is in."""
    folders = [f"{f.rstrip('/')}/" for f in sys.path if type(f) is str and f]
    above = max((f for f in folders if path.startswith(f)), key=len, default="")
    return path[len(above) :]
