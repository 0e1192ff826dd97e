"""Reads from address 0."""

import ctypes
from typing import Any

import beast

from modulehost import Context


class Manager(beast.Manager):
    """Dies of SIGSEGV."""

    def misbehave(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        ctypes.string_at(0)
