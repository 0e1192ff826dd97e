"""Has the copy of the metadata that the host makes during install come when the next call runs."""

import time
from typing import Any

import beast

from modulehost import Context, ModuleError, hookimpl
from modulehost.shared import metadata as host

_copy = host.copy


def copy(metadata: dict[str, Any]) -> bytes:
    """The host's own, kept back until the test says so; there is one of install alone."""
    if "first" not in metadata:
        raise ValueError
    text = _copy(metadata)
    beast.tell("copied")
    while not beast.told("late"):
        time.sleep(0.01)
    return text


host.copy = copy


class Manager(beast.Manager):
    """Its install is copied, its sleep never ends."""

    def _operate(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        beast.note(ctx.operation, metadata)
        if ctx.operation == "install":
            metadata["first"] = True
            ctx.progress("first")
            while not beast.told("copied"):
                time.sleep(0.01)
        elif ctx.operation == "sleep":
            del metadata["first"]
            metadata["second"] = True
            ctx.checkpoint()
            beast.tell("misbehaving")
            ctx.wait(60)

    @hookimpl
    def health(self) -> None:
        raise ModuleError("the hook was asked")
