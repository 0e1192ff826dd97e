"""Computes for ever."""

import os
from typing import Any

import beast

from modulehost import Context, hookimpl


class Manager(beast.Manager):
    """Takes all the time that the interpreter has."""

    def misbehave(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        beast.tell("misbehaving", os.getpid())
        while True:
            pass

    @hookimpl
    def health(self, ctx: Context[Any]) -> None:
        """Well."""
