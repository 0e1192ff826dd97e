"""Is operated on for hours: notes what it leaves, and complains when it is given something else.

The test's file ``fault`` names what goes wrong, once; ``lost`` is what should never be written.
"""

import ctypes
import json
import os
import random
import subprocess
import time
from typing import Any

import beast

from modulehost import Context, ModuleError

LEFT = beast.FOLDER / "left"
FAULT = beast.FOLDER / "fault"


class Manager(beast.Manager):
    """Changes its metadata in each operation."""

    def _operate(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        left = json.loads(LEFT.read_text()) if LEFT.exists() else {}
        if metadata != left:
            with (beast.FOLDER / "lost").open("a") as file:
                file.write(json.dumps([ctx.operation, metadata, left]) + "\n")
        metadata.pop("too large", None)
        metadata["number"] = metadata.get("number", 0) + 1
        metadata["ratio"] = metadata["number"] / 7
        metadata["last"] = {"operation": ctx.operation, "text": "<&> \u2028 \u00e9 \U0001f600"}
        metadata["text"] = "x" * random.randrange(5000)
        fault = FAULT.read_text() if FAULT.exists() else None
        if fault is not None:
            FAULT.unlink()
            ctx.checkpoint()
            if fault == "leaves too large an integer":
                metadata["too large"] = 2**60
        elif ctx.operation == "uninstall":
            metadata.clear()
        LEFT.write_text(json.dumps(metadata))
        if fault is not None:
            go_wrong(ctx, fault)


def go_wrong(ctx: Context[Any], fault: str) -> None:
    """As the driver of the soak has named it."""
    match fault:
        case "raises":
            raise ValueError("it was too much")
        case "fails":
            raise ModuleError("the database refuses us")
        case "exits":
            os._exit(3)
        case "segfaults":
            ctypes.string_at(0)
        case "leaves children behind and fails":
            for new_session in (False, True):
                subprocess.Popen(["sleep", "1000"], start_new_session=new_session)
            raise ModuleError("there are children")
        case "prints a megabyte and fails":
            print("x" * 1_000_000)
            raise ModuleError("a megabyte was printed")
        case "passes its deadline":
            ctx.wait(60)
        case "passes its deadline and does not stop":
            time.sleep(60)
        case "is killed":
            beast.tell("pid", os.getpid())
            time.sleep(60)
        case "its client hangs up":
            beast.tell("began")
            ctx.wait(60)
