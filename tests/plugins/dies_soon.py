"""Writes at the begin of its install, and ends its process a while after."""

import os
import time
from typing import Any

import beast

from modulehost import Context


class Manager(beast.Manager):
    """Its install lasts DIES_AFTER seconds."""

    def misbehave(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        metadata["written"] = "at once"
        time.sleep(float(os.environ["DIES_AFTER"]))
        os._exit(9)
