"""Has a config with all six types, and shows in the metadata what it was given of it."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from modulehost import Context, hookimpl


class Config(msgspec.Struct, rename="camel"):
    """One required item; all others have defaults."""

    app_name: Annotated[str, Meta(pattern="^[a-z-]+$")]
    replicas: Annotated[int, Meta(ge=1, le=10)] = 1
    cpu_share: Annotated[float, Meta(gt=0, le=1)] = 0.5
    debug: bool = False
    size: Literal["small", "large"] = "small"
    zones: list[Literal["north", "south"]] = msgspec.field(default_factory=lambda: ["north"])
    note: str | None = None


class Manager:
    """Shows its config under the key ``config``."""

    config = Config

    @hookimpl
    def install(self, ctx: Context[Config], metadata: dict[str, Any]) -> None:
        self._show(ctx, metadata)

    @hookimpl
    def uninstall(self, ctx: Context[Config], metadata: dict[str, Any]) -> None:
        self._show(ctx, metadata)

    @hookimpl
    def sleep(self, ctx: Context[Config], metadata: dict[str, Any]) -> None:
        self._show(ctx, metadata)

    @hookimpl
    def resume(self, ctx: Context[Config], metadata: dict[str, Any]) -> None:
        self._show(ctx, metadata)

    def _show(self, ctx: Context[Config], metadata: dict[str, Any]) -> None:
        ctx.log.info("hook entered")
        metadata["config"] = msgspec.to_builtins(ctx.config)
