"""Makes a call into C that never gives back the interpreter's lock."""

import ctypes
import os
from typing import Any

import beast

from modulehost import Context, hookimpl


class Manager(beast.Manager):
    """No other thread of its process runs any more."""

    def misbehave(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        beast.tell("misbehaving", os.getpid())
        ctypes.PyDLL(None).sleep(60)

    @hookimpl
    def health(self, ctx: Context[Any]) -> None:
        """Well, whenever it gets to run."""
