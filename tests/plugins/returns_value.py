"""Returns its metadata instead of changing what it was given."""

from typing import Any

import beast

from modulehost import Context, hookimpl


class Manager(beast.Manager):
    """Returns something where nothing is expected."""

    @hookimpl
    def install(self, ctx: Context[Any], metadata: dict[str, Any]) -> Any:
        super().install(ctx, metadata)
        return {**metadata, "returned": True}
