"""Has a hook that is a coroutine function, which would never run."""

from typing import Any

import beast

from modulehost import Context, hookimpl


class Manager(beast.Manager):
    """Installs asynchronously."""

    @hookimpl
    async def install(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:  # type: ignore[override]
        beast.tell("ran")
