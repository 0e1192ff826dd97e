"""Goes on whatever it is told, and swallows every exception."""

import os
import time
from typing import Any

import beast

from modulehost import Cancelled, Context


class Manager(beast.Manager):
    """Never stops by itself."""

    def misbehave(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        beast.tell("misbehaving", os.getpid())
        while True:
            metadata["turns"] = metadata.get("turns", 0) + 1
            try:
                ctx.wait(0.05)
            except Cancelled:
                time.sleep(0.05)
