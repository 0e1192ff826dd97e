"""Raises, leaves and does what trips whoever looks at it, as ``do`` in the metadata says."""

import builtins
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NoReturn

import beast

from modulehost import Context, ModuleError


def fail(*_: object, **__: object) -> NoReturn:
    """In place of any method."""
    raise SystemExit("a method of a plugin's class was called")


METHODS = (
    *("__abs__", "__bool__", "__contains__", "__eq__", "__float__", "__format__", "__ge__"),
    *("__getitem__", "__gt__", "__index__", "__int__", "__iter__", "__le__", "__len__", "__lt__"),
    *("__ne__", "__neg__", "__repr__", "__str__", "__trunc__", "as_integer_ratio", "encode", "get"),
    *("is_integer", "isprintable", "items", "keys", "replace", "split", "strip", "values"),
)


def heir(kind: type) -> Any:
    """A class whose instances hold what ``kind`` does, and fail at every method."""
    return type(f"Odd{kind.__name__}", (kind,), dict.fromkeys(METHODS, fail))


class RudeMeta(type):
    """A metaclass that fails when its class is asked anything."""

    __name__ = property(fail)
    __module__ = property(fail)
    __instancecheck__ = __repr__ = fail


class RefusesError(Exception):
    """Its class says nothing of itself."""

    __class__ = property(fail)
    __str__ = __repr__ = fail


class PretendsError(Exception):
    """It passes for an expected failure."""

    __class__ = ModuleError  # type: ignore[assignment]


class HasNoTraceError(Exception):
    """Whatever hangs on an exception fails."""

    __traceback__ = __cause__ = __context__ = __notes__ = property(fail)
    with_traceback = fail


class SaysOddError(Exception):
    """Its text is no plain text."""

    def __str__(self) -> str:
        words: str = heir(str)("odd words")
        return words


class RudeError(Exception, metaclass=RudeMeta):
    """Its class is rude."""


class DiesOfItError(Exception):
    """Describing it ends the process."""

    def __str__(self) -> str:
        os._exit(7)


def no_module() -> Exception:
    """An exception whose class has no module: made by code that has none either."""
    space: dict[str, Any] = {}
    exec("Made = type('Made', (Exception,), {})", space)
    error: Exception = space["Made"]("by exec")
    return error


def odd_name() -> Exception:
    """An exception whose class has a name that is no plain text."""
    kind = type("Named", (Exception,), {})
    kind.__name__ = heir(str)("Odd")
    error: Exception = kind("words")
    return error


RAISE: dict[str, Callable[[], BaseException]] = {
    "no module": no_module,
    "refuses": RefusesError,
    "pretends": lambda: PretendsError("to be expected"),
    "no trace": lambda: HasNoTraceError("nor cause"),
    "odd text": SaysOddError,
    "odd name": odd_name,
    "rude": lambda: RudeError("but it speaks"),
    "group": lambda: BaseExceptionGroup("several", [RefusesError(), RudeError("x")]),
    "dies of it": DiesOfItError,
}


class Unreadable:
    """An object that is of no type."""

    __class__ = property(fail)
    __str__ = __repr__ = fail


class Disguised:
    """An object that passes for a dict."""

    __class__ = dict  # type: ignore[assignment]


class Nameless(metaclass=RudeMeta):
    """An object whose class does not say its name."""


LEAVE: dict[str, Callable[[], Any]] = {
    "dict": lambda: heir(dict)(b=1),
    "list": lambda: heir(list)([1, "two"]),
    "text": lambda: heir(str)("words"),
    "integer": lambda: heir(int)(7),
    "float": lambda: heir(float)(0.5),
    "key": lambda: {type("Key", (str,), {"__lt__": fail, "__str__": fail})("key"): 1, "l": 2},
    "unreadable": Unreadable,
    "disguised": Disguised,
    "nameless": Nameless,
}


def low_limit() -> None:
    """Leave the lowest recursion limit that is accepted here."""
    for limit in range(5, 1000):
        try:
            sys.setrecursionlimit(limit)
        except RecursionError:
            continue
        return


def low_limit_by_thread() -> None:
    """The same from a thread, which has hardly any frames; that hits the hook, too."""
    thread = threading.Thread(target=low_limit)
    thread.start()
    thread.join()


def traced() -> None:
    """Leave a trace function that fails."""
    sys.settrace(fail)


def profiled() -> None:
    """Leave a profile function that fails."""
    sys.setprofile(fail)


def slow_switches() -> None:
    """Leave a thread that burns a core and hardly ever lets others go on."""
    sys.setswitchinterval(1000)


def no_streams() -> None:
    """Leave no standard streams."""
    sys.stdout = sys.stderr = sys.__stdout__ = sys.__stderr__ = None  # type: ignore[misc]


def broken_modules() -> None:
    """Break what everybody uses."""
    for module, names in (
        (os, ("getpid", "write")),
        (os.path, ("isfile",)),
        (time, ("monotonic", "time")),
        (json, ("dumps",)),
    ):
        vars(module).update(dict.fromkeys(names, fail))
    vars(sys)["modules"].update(json=None, traceback=None)


def broken_builtins() -> None:
    """Break the builtins."""
    names = ("isinstance", "issubclass", "len", "map", "sorted", "str", "type")
    vars(builtins).update(dict.fromkeys(names))


def no_imports() -> None:
    """Leave nothing that could be imported."""
    for found in (sys.path, sys.meta_path, sys.path_hooks):
        found[:] = []
    sys.modules.pop("json", None)


LEAVE_BEHIND: dict[str, Callable[[], None]] = {
    "low limit": low_limit,
    "low limit by thread": low_limit_by_thread,
    "traced": traced,
    "profiled": profiled,
    "slow switches": slow_switches,
    "no streams": no_streams,
    "broken modules": broken_modules,
    "no imports": no_imports,
    "broken builtins": broken_builtins,
}


class Manager(beast.Manager):
    """Trips."""

    def misbehave(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        do = metadata.pop("do")
        metadata["half"] = "done"
        if "number" in metadata:
            metadata["number"] = float(metadata["number"])
        if do in RAISE:
            error = RAISE[do]()
            raise error
        if do in LEAVE:
            metadata["a"] = LEAVE[do]()
        if do in LEAVE_BEHIND:
            metadata["a"] = "value"
            LEAVE_BEHIND[do]()
        if do.endswith(", then raises"):
            LEAVE_BEHIND[do.removesuffix(", then raises")]()
            raise ValueError("and this, too")
