"""A good plugin with one bad habit, which ``HABIT`` names; it keeps its things in a folder."""

import os
import time
from pathlib import Path
from typing import Any

from modulehost import Cancelled, Context, ModuleError, hookimpl

HABIT = os.environ.get("HABIT", "")
THING = Path(os.environ.get("TEST_FOLDER", "."), "thing")


class Manager:
    """One thing, awake or asleep."""

    @hookimpl
    def install(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        if HABIT == "counts":
            metadata["installs"] = metadata.get("installs", 0) + 1
        if HABIT in ("looks late", "makes first"):
            THING.write_text("awake")
        metadata |= {"thing": str(THING), "colour": "green"}
        ctx.checkpoint()
        try:
            ctx.wait(0.3 if HABIT in ("dawdles", "ignores") else 0.01)
        except Cancelled:
            if HABIT == "looks late":
                del metadata["thing"]
            if HABIT == "ignores":
                time.sleep(30)
            if HABIT == "dawdles":
                time.sleep(0.5)
            raise
        if HABIT == "blocks":
            time.sleep(0.9)
        THING.write_text("awake")

    @hookimpl
    def uninstall(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        if HABIT == "trusts":
            Path(metadata["thing"]).unlink(missing_ok=True)
        elif "thing" in metadata:
            if HABIT == "once" and not THING.exists():
                raise ModuleError("there is no such thing")
            if HABIT == "awake only" and "before" in metadata:
                raise ModuleError("wake it up first")
        elif HABIT == "looks late" and THING.exists():
            raise ModuleError(f"{THING} is nobody's")
        elif HABIT == "makes first":
            return
        THING.unlink(missing_ok=True)

    @hookimpl
    def sleep(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        metadata["before"] = THING.read_text() if HABIT == "forgets" else "awake"
        THING.write_text("asleep")
        if HABIT == "clears":
            metadata.clear()

    @hookimpl
    def resume(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        if HABIT == "wakes once" and "before" not in metadata:
            raise ModuleError("it is awake")
        if HABIT == "prints":
            print("{}")
        THING.write_text(metadata.pop("before", "awake"))
        if HABIT == "loses":
            metadata.pop("thing", None)

    @hookimpl
    def health(self) -> bool:
        return not (HABIT == "unwell" and THING.exists())
