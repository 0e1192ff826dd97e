"""Reads from a pipe into which nobody writes."""

import os
from typing import Any

import beast

from modulehost import Context


class Manager(beast.Manager):
    """Never goes on, and no signal would help: reads are begun again."""

    def misbehave(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        beast.tell("misbehaving", os.getpid())
        reader, _writer = os.pipe()
        os.read(reader, 1)
