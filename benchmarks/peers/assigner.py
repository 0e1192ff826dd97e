"""A plugin whose hooks assign one value: what remains of a call is the host's."""

from typing import Any

from modulehost import Context, hookimpl


class Manager:
    """Notes the last operation."""

    @hookimpl
    def install(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        metadata["last"] = ctx.operation

    @hookimpl
    def uninstall(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        metadata["last"] = ctx.operation

    @hookimpl
    def sleep(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        metadata["last"] = ctx.operation

    @hookimpl
    def resume(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        metadata["last"] = ctx.operation
