"""Has a hook with an argument that no hook is given, and one with a default."""

from typing import Any

import beast

from modulehost import Context, hookimpl


class Manager(beast.Manager):
    """Wants what there is not."""

    @hookimpl
    def install(self, ctx: Context[Any], metadata: dict[str, Any], dry_run: bool) -> None:  # type: ignore[override]
        """Never called."""

    @hookimpl
    def resume(self, ctx: Context[Any], metadata: dict[str, Any] | None = None) -> None:
        """Never called with metadata."""
