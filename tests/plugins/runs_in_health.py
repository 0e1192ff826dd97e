"""Runs a program in each of its hooks, in health, too."""

from typing import Any

import beast

from modulehost import Context, hookimpl


class Manager(beast.Manager):
    """Runs ``true``."""

    def misbehave(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        ctx.run(["true"])

    @hookimpl
    def health(self, ctx: Context[Any]) -> bool:
        return ctx.run(["true"]).status == 0
