"""Needs a package that is not installed."""

import beast
import surely_not_installed.anywhere  # type: ignore[import-not-found]

__all__ = ["surely_not_installed"]


class Manager(beast.Manager):
    """Good, if it could be imported."""
