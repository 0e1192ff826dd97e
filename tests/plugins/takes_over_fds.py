"""Closes its standard streams, and puts a file in their place."""

import os
from typing import Any

import beast

from modulehost import Context


class Manager(beast.Manager):
    """Prints into a file of its own."""

    def misbehave(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        os.closerange(0, 3)
        for _ in range(3):
            os.open(beast.FOLDER / "printed", os.O_CREAT | os.O_RDWR)
        os.write(1, b"printed\n")
