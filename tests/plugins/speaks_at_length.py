"""Says everything at great length: log lines, progress, output and its last words."""

import sys
from typing import Any

import beast

from modulehost import Context

LONG = "x" * 100_000


class Manager(beast.Manager):
    """Does not know when to stop."""

    def misbehave(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        ctx.log.info("said", text=LONG, other="\u20ac" * 50_000)
        ctx.log.info(LONG)
        ctx.log.warning("said", **{f"key-{number}": LONG for number in range(100)})
        ctx.progress(LONG)
        print(LONG)
        print("\x00" * 10_000, "\u20ac" * 10_000, file=sys.stderr)
        try:
            raise KeyError(LONG)
        except KeyError as error:
            raise ValueError(LONG) from error
