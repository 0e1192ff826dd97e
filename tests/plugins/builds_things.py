"""Makes real things, files in ``things/``, and remembers them in its metadata.

What is in no metadata any more is an orphan. The test's file ``fault`` holds what goes wrong, as
``OPERATION HOW``: fail, die, empty; it happens once, when the operation is half done.
"""

import os
from typing import Any

import beast

from modulehost import Context, ModuleError, hookimpl

THINGS = beast.FOLDER / "things"
NAMES = ("database", "cache", "web")


class Manager(beast.Manager):
    """Creates three things, puts them to sleep, and removes those that it knows of."""

    @hookimpl
    def install(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        beast.note("install", metadata)
        THINGS.mkdir(exist_ok=True)
        things = metadata.setdefault("things", [])
        for number, name in enumerate(NAMES):
            if name not in things:
                things.append(name)
                ctx.checkpoint()
                (THINGS / name).write_text("awake")
            if number == 1:
                self._go_wrong(ctx, metadata)

    @hookimpl
    def sleep(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        beast.note("sleep", metadata)
        self._set(metadata, "asleep")
        metadata["replicas"] = {"web": 3, "ratio": 0.1, "note": "<&> \u2028 \u00e9"}
        self._go_wrong(ctx, metadata)

    @hookimpl
    def resume(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        beast.note("resume", metadata)
        if "replicas" not in metadata:
            raise ModuleError("nobody knows how many replicas there were")
        del metadata["replicas"]
        self._set(metadata, "awake")
        self._go_wrong(ctx, metadata)

    @hookimpl
    def uninstall(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        beast.note("uninstall", metadata)
        things = metadata.get("things", [])
        while things:
            (THINGS / things[-1]).unlink(missing_ok=True)
            things.pop()
            if len(things) == 1:
                self._go_wrong(ctx, metadata)

    def _set(self, metadata: dict[str, Any], state: str) -> None:
        for name in metadata["things"]:
            (THINGS / name).write_text(state)

    def _go_wrong(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        path = beast.FOLDER / "fault"
        operation, _, how = path.read_text().partition(" ") if path.exists() else ("", "", "")
        if operation != ctx.operation:
            return
        path.unlink()
        match how:
            case "fail":
                raise ModuleError("half-way through")
            case "die":
                ctx.checkpoint()
                os._exit(1)
            case "empty":
                metadata.clear()
