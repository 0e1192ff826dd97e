"""Takes as long as ``seconds`` in the metadata says, and tells whether it was cancelled."""

import time
from typing import Any

import beast

from modulehost import Context


class Manager(beast.Manager):
    """Looks at the cancellation at its very end, so that each one that comes too late shows."""

    def _operate(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        beast.tell(f"began-{ctx.operation}")
        ends = time.monotonic() + metadata["seconds"]
        while time.monotonic() < ends:
            time.sleep(0.0005)
        ctx.raise_if_cancelled()
