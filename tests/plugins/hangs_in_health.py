"""Its health hook never answers."""

import os
import time
from typing import Any

import beast

from modulehost import Context, hookimpl


class Manager(beast.Manager):
    """Hangs in health; ``go`` lets its install finish."""

    def misbehave(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        beast.tell("misbehaving", os.getpid())
        while not beast.told("go"):
            ctx.wait(0.01)

    @hookimpl
    def health(self, ctx: Context[Any]) -> None:
        beast.tell("asked")
        time.sleep(60)
