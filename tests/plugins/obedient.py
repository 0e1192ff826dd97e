"""Does what the metadata says: waits ``seconds``, and fails for the reason in ``fail``."""

from typing import Any

from modulehost import Context, ModuleError, hookimpl


class Manager:
    """Has no will of its own."""

    @hookimpl
    def install(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        self._obey(ctx, metadata)

    @hookimpl
    def uninstall(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        self._obey(ctx, metadata)

    @hookimpl
    def sleep(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        self._obey(ctx, metadata)

    @hookimpl
    def resume(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        self._obey(ctx, metadata)

    def _obey(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        ctx.wait(metadata.get("seconds", 0))
        if "fail" in metadata:
            raise ModuleError(metadata["fail"])
