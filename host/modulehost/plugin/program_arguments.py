"""What ``Context.run`` is given, checked: each error has its cure."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

PathLike = str | os.PathLike[str]

_CURES = {"Secret": "use its reveal()", "int": "use str()", "bytes": "use decode()"}


def checked_argv(argv: object) -> list[str]:
    """The program and its arguments; raises TypeError and ValueError."""
    if isinstance(argv, str | bytes | os.PathLike) or not isinstance(argv, Sequence):
        raise TypeError(
            f"argv is of type {type(argv).__name__}, not a list of words: write ['ls', '-l'], or"
            " ['sh', '-c', 'ls -l | wc -l'] for what needs a shell"
        )
    if not argv:
        raise ValueError("argv is empty; its first word is the program")
    return [_text(f"argv[{number}]", word) for number, word in enumerate(argv)]


def checked_env(
    env: Mapping[str, str] | None, extra: Mapping[str, str] | None
) -> dict[str, str] | None:
    """The environment of the program, None for that of this process; raises TypeError."""
    if env is None and extra is None:
        return None
    merged = {**(os.environ if env is None else env), **(extra or {})}
    return {_text("a variable", name): _text(f"env[{name!r}]", merged[name]) for name in merged}


def checked_input(data: object) -> bytes | None:
    """What the program reads; raises TypeError."""
    if data is None or isinstance(data, bytes):
        return data
    if isinstance(data, bytearray | memoryview):
        return bytes(data)
    if isinstance(data, str):
        return data.encode("utf-8", "surrogateescape")
    raise TypeError(f"input is of type {_type(data)}, not str or bytes{_cure(data)}")


def check_timeout(seconds: float | None) -> None:
    """Raises ValueError for what are no seconds until a program must have ended."""
    if seconds is not None and not seconds > 0:
        raise ValueError(f"timeout is {seconds:g}; it takes seconds above 0, or None")


def _text(what: str, value: object) -> str:
    try:
        text = os.fspath(value)  # type: ignore[call-overload]
        if isinstance(text, str):
            return text
    except TypeError:
        pass
    raise TypeError(f"{what} is of type {_type(value)}, not text{_cure(value)}")


def _type(value: object) -> str:
    return type(value).__name__


def _cure(value: object) -> str:
    return f": {_CURES[_type(value)]}" if _type(value) in _CURES else ""
