"""Has a hook that does not exist."""

from typing import Any

import beast

from modulehost import Context, hookimpl


class Manager(beast.Manager):
    """Spells uninstall wrong."""

    @hookimpl
    def unistall(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        """Never called."""
