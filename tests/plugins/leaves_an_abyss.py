"""Leaves 100 MB beside what it needs, and then fails, or succeeds, as ``FAILS`` says."""

import os
from typing import Any

import beast

from modulehost import Context, ModuleError


class Manager(beast.Manager):
    """Has put a whole dump into the metadata."""

    def misbehave(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        metadata["dump"] = "x" * 100_000_000
        metadata["name"] = "orders"
        if os.environ.get("FAILS"):
            raise ModuleError("the dump cannot be checked")
