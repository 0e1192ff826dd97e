"""Leaves no descriptor to its process when ``greedy`` is in the metadata."""

import resource
from typing import Any

import beast

from modulehost import Context


class Manager(beast.Manager):
    """Succeeds all the same."""

    def misbehave(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        if metadata.pop("greedy", False):
            limits = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
