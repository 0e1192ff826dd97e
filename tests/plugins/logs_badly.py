"""Gets its log calls wrong, in its own logger and in that of the standard library."""

import logging
from typing import Any

import beast

from modulehost import Context


class Manager(beast.Manager):
    """Is well otherwise."""

    def misbehave(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        ctx.log.info("%d of 3", "one", step=1)
        logging.getLogger("a.library").warning("%d of 3", "two")
        metadata["logged"] = True
