"""Has a hook with a yield in it, which would never run."""

from collections.abc import Iterator
from typing import Any

import beast

from modulehost import Context, hookimpl


class Manager(beast.Manager):
    """Installs when somebody asks for the next value."""

    @hookimpl
    def install(self, ctx: Context[Any], metadata: dict[str, Any]) -> Iterator[None]:  # type: ignore[override]
        beast.tell("ran")
        yield
