"""What the bad plugins share: they note what they are given, and misbehave when it is time.

The plugin itself is good. ``MISBEHAVE_IN`` names the operations in which its heirs are not, by
default install; so the next operation can show what the fault has left behind.
"""

import json
import os
from pathlib import Path
from typing import Any

from modulehost import Context, hookimpl

FOLDER = Path(os.environ.get("TEST_FOLDER", "."))


class Manager:
    """Counts its operations in the metadata."""

    @hookimpl
    def install(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        self._operate(ctx, metadata)

    @hookimpl
    def uninstall(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        self._operate(ctx, metadata)

    @hookimpl
    def sleep(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        self._operate(ctx, metadata)

    @hookimpl
    def resume(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        self._operate(ctx, metadata)

    def _operate(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        note(ctx.operation, metadata)
        metadata[ctx.operation] = metadata.get(ctx.operation, 0) + 1
        if ctx.operation in os.environ.get("MISBEHAVE_IN", "install").split():
            ctx.checkpoint()
            self.misbehave(ctx, metadata)

    def misbehave(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        """Be bad; the metadata was kept just before."""


def note(operation: str, metadata: dict[str, Any]) -> None:
    """Tell the test what a hook was given: a line in the file ``given``."""
    with (FOLDER / "given").open("a") as file:
        file.write(json.dumps([operation, metadata]) + "\n")


def tell(name: str, text: object = "") -> None:
    """Tell the test something: a file of that name appears, complete."""
    new = FOLDER / f"{name}.{os.getpid()}"
    new.write_text(str(text))
    new.replace(FOLDER / name)


def told(name: str) -> bool:
    """Whether the test has made the file of that name."""
    return (FOLDER / name).exists()
