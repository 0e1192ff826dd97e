"""Has three of the four hooks."""

from typing import Any

from modulehost import Context, hookimpl


class Manager:
    """Cannot resume."""

    @hookimpl
    def install(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        """Do nothing."""

    @hookimpl
    def uninstall(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        """Do nothing."""

    @hookimpl
    def sleep(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        """Do nothing."""
