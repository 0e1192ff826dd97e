"""Closes every descriptor of its process, then does as THEN says: hang or return."""

import os
import time
from typing import Any

import beast

from modulehost import Context


class Manager(beast.Manager):
    """Has closed its connection to the host, its output and all else."""

    def misbehave(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        os.closerange(0, 4096)
        if os.environ.get("THEN") == "hang":
            time.sleep(60)
