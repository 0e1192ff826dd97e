"""Raises what ``raise`` in the metadata names, or else RAISES."""

import os
from typing import Any

import beast

from modulehost import Cancelled, Context, ModuleError


class UnprintableError(Exception):
    """An exception whose own text is out of order."""

    def __str__(self) -> str:
        raise ValueError


class Rude(BaseException):
    """An exception that no ``except Exception`` catches."""


ERRORS: dict[str, BaseException] = {
    "ModuleError": ModuleError("the database refuses us"),
    "ValueError": ValueError("replicas is negative"),
    "no text": ValueError(),
    "several lines": ValueError("first\nsecond\x1b[31m third"),
    "long": ValueError("x" * 5000),
    "UnprintableError": UnprintableError(),
    "KeyboardInterrupt": KeyboardInterrupt("Ctrl-C"),
    "SystemExit": SystemExit(3),
    "GeneratorExit": GeneratorExit("closed"),
    "BaseException": Rude("of no known kind"),
    "Cancelled": Cancelled("nobody asked for it"),
    "lone surrogate": ValueError("\ud800 is no text"),
}


class Manager(beast.Manager):
    """Raises."""

    def misbehave(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        metadata["half"] = "done"
        raise ERRORS[metadata.pop("raise", None) or os.environ["RAISES"]]
