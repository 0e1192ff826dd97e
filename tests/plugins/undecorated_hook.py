"""Has forgotten a decorator."""

from typing import Any

import beast

from modulehost import Context


class Manager(beast.Manager):
    """Resumes without being a hook."""

    def resume(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        """Never called."""
