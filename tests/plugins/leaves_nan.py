"""Leaves NaN, which Go cannot read."""

from typing import Any

import beast

from modulehost import Context


class Manager(beast.Manager):
    """Leaves NaN."""

    def misbehave(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        metadata["load"] = float("nan")
