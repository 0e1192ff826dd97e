"""Leaves more than an annotation can hold."""

from typing import Any

import beast

from modulehost import Context


class Manager(beast.Manager):
    """Leaves a quarter of a MiB."""

    def misbehave(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        metadata["log"] = "x" * (1 << 18)
