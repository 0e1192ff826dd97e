"""Wishes for shorter deadlines than the host's, and waits until it is cancelled."""

from typing import Any

import beast

from modulehost import Context


class Manager(beast.Manager):
    """Has half a second for install."""

    deadlines = {"install": 0.5}  # noqa: RUF012 - as plugins have it

    def misbehave(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        metadata["remaining"] = ctx.remaining()
        ctx.wait(60)
