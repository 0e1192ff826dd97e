"""Leaves a thread behind that makes a checkpoint when its hook has long returned."""

import threading
import time
from typing import Any

import beast

from modulehost import Context, ModuleError


class Manager(beast.Manager):
    """Its install comes back with a checkpoint of its own during sleep."""

    def _operate(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        beast.note(ctx.operation, metadata)
        metadata[ctx.operation] = True
        if ctx.operation == "install":
            threading.Thread(target=_return, args=(ctx,), daemon=True).start()
        elif ctx.operation == "sleep":
            beast.tell("asleep")
            while not beast.told("refused"):
                time.sleep(0.01)


def _return(ctx: Context[Any]) -> None:
    while not beast.told("asleep"):
        time.sleep(0.01)
    try:
        ctx.checkpoint()
    except ModuleError as error:
        beast.tell("refused", str(error))
