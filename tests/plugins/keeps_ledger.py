"""Makes things, files in ``things/``, which it finds again by the ledger alone.

``fault`` holds what goes wrong, once, as ``HOW``: "die" kills the process while the second thing
is half made, "fail" raises there, "forget" has uninstall leave the ledger as it is.
"""

import os
import signal
from typing import Any

import beast

from modulehost import Context, ModuleError, hookimpl

THINGS = beast.FOLDER / "things"
NAMES = ("database", "cache", "web")


class Manager(beast.Manager):
    """Creates three things and removes what the ledger has, the newest first."""

    @hookimpl
    def install(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        THINGS.mkdir(exist_ok=True)
        for name in NAMES:
            with ctx.creating("thing", name, size=len(name)) as thing:
                if not thing.confirmed:
                    (THINGS / name).write_text("half")
                    if name == "cache":
                        self._go_wrong()
                    (THINGS / name).write_text("whole")
                    thing.details["id"] = f"{name}-1"

    @hookimpl
    def uninstall(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        beast.tell("created", "\n".join(map(str, ctx.created())))
        forgets = beast.told("fault") and (beast.FOLDER / "fault").read_text() == "forget"
        for thing in ctx.created("thing"):
            (THINGS / thing.name).unlink(missing_ok=True)
            if not forgets:
                ctx.removed(thing.kind, thing.name)

    @hookimpl
    def health(self, ctx: Context[Any]) -> bool:
        return not ctx.created()

    def _go_wrong(self) -> None:
        path = beast.FOLDER / "fault"
        how = path.read_text() if path.exists() else ""
        if how in ("die", "fail"):
            path.unlink()
            if how == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            raise ModuleError("half-way through")
