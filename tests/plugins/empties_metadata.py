"""Clears the metadata, which the operator does not notice."""

from typing import Any

import beast

from modulehost import Context


class Manager(beast.Manager):
    """Leaves nothing."""

    def misbehave(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        metadata.clear()
