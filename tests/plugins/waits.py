"""Waits until the test makes the file ``go``, and stops when it is told to.

``WHEN_CANCELLED`` says what it does then: ``stop`` (raise), ``tidy`` (note it, then raise),
``finish`` (return all the same).
"""

import os
from typing import Any

import beast

from modulehost import Cancelled, Context, hookimpl


class Manager(beast.Manager):
    """Well-behaved, and slow."""

    def misbehave(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        ctx.progress("2/3 replicas ready")
        beast.tell("misbehaving", os.getpid())
        try:
            while not beast.told("go"):
                ctx.wait(0.01)
        except Cancelled as error:
            beast.tell("cancelled", error)
            how = os.environ.get("WHEN_CANCELLED", "stop")
            if how == "tidy":
                metadata["tidied"] = True
            if how != "finish":
                raise
            metadata["finished"] = "all the same"

    @hookimpl
    def health(self, ctx: Context[Any]) -> None:
        """Well."""
