"""Does what the test's file ``orders`` says: ``{"leave": METADATA, "then": HOW}``."""

import json
import os
import sys
from typing import Any

import beast

from modulehost import Context, ModuleError


class Manager(beast.Manager):
    """Leaves the metadata that it is told to leave, and ends as it is told to end."""

    def _operate(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        beast.note(ctx.operation, metadata)
        orders = json.loads((beast.FOLDER / "orders").read_text())
        metadata.clear()
        metadata.update(orders["leave"])
        match orders["then"]:
            case "raise":
                raise ModuleError("as ordered")
            case "exit":
                sys.exit(3)
            case "die":
                ctx.checkpoint()
                os._exit(3)
            case "wait":
                ctx.checkpoint()
                beast.tell("waiting")
                ctx.wait(60)
