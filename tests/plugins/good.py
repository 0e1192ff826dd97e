"""Does as it is told by the metadata: notes each operation, no more."""

from typing import Any

from modulehost import Context, hookimpl


class Manager:
    """Counts its operations in the metadata."""

    @hookimpl
    def install(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        self._note(ctx, metadata)

    @hookimpl
    def uninstall(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        self._note(ctx, metadata)

    @hookimpl
    def sleep(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        self._note(ctx, metadata)

    @hookimpl
    def resume(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        self._note(ctx, metadata)

    def _note(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        metadata[ctx.operation] = metadata.get(ctx.operation, 0) + 1
