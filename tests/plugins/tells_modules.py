"""Tells which modules its process has imported."""

import sys
from typing import Any

from modulehost import Context, hookimpl


class Manager:
    """Each operation lists the modules in the metadata."""

    @hookimpl
    def install(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        ctx.log.info("so that the logger is loaded")
        metadata["modules"] = sorted(sys.modules)

    @hookimpl
    def uninstall(self, metadata: dict[str, Any]) -> None:
        metadata.clear()

    @hookimpl
    def sleep(self, metadata: dict[str, Any]) -> None:
        metadata["modules"] = sorted(sys.modules)

    @hookimpl
    def resume(self, metadata: dict[str, Any]) -> None:
        metadata["modules"] = sorted(sys.modules)
