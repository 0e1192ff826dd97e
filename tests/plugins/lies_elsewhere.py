"""Raises what trips whoever looks at it where LIES_IN says: import, init, hooks, config, health."""

import os
import sys
from typing import Any

import beast
import lies
import msgspec

from modulehost import Context, hookimpl

WHERE = os.environ["LIES_IN"]
ERROR = lies.RAISE[os.environ.get("LIES_WITH", "refuses")]


def fail() -> None:
    """Raise it."""
    error = ERROR()
    raise error


class Config(msgspec.Struct):
    """Raises when it is made."""

    name: str = "x"

    def __post_init__(self) -> None:
        if WHERE == "config":
            fail()
        elif WHERE == "config exits":
            sys.exit(3)
        elif WHERE == "config forks":
            os.fork()


class Manager(beast.Manager):
    """Is good but for where it lies."""

    config = Config

    def __init__(self) -> None:
        if WHERE == "init":
            fail()

    @property
    def other(self) -> None:
        """An attribute that is looked at, since it might be a hook."""
        if WHERE == "attribute":
            sys.exit(4)

    @property
    def permissions(self) -> tuple[str, ...]:
        """What the manager asks for."""
        if WHERE == "permissions":
            fail()
        return ()

    @hookimpl
    def health(self, ctx: Context[Any]) -> Any:
        if WHERE == "health":
            fail()
        elif WHERE == "health breaks":
            lies.broken_builtins()
        elif WHERE == "health returns":
            return lies.Nameless()
        return None


if WHERE == "import":
    fail()
elif WHERE == "import breaks":
    lies.low_limit()
