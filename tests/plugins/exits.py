"""Calls sys.exit(), with EXIT_STATUS."""

import os
import sys
from typing import Any

import beast

from modulehost import Context


class Manager(beast.Manager):
    """Raises SystemExit, which ends a program that does not look out."""

    def misbehave(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        metadata["half"] = "done"
        sys.exit(int(os.environ.get("EXIT_STATUS", "1")))
