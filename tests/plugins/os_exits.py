"""Calls os._exit(), with EXIT_STATUS."""

import os
from typing import Any

import beast

from modulehost import Context


class Manager(beast.Manager):
    """Ends its process at once."""

    def misbehave(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        os._exit(int(os.environ.get("EXIT_STATUS", "1")))
