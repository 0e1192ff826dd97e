"""Has no schema, and shows the config that it is given all the same."""

from typing import Any

from modulehost import Context, hookimpl


class Manager:
    """Shows its config under the key ``config``."""

    @hookimpl
    def install(self, ctx: Context[dict[str, Any]], metadata: dict[str, Any]) -> None:
        metadata["config"] = ctx.config

    @hookimpl
    def uninstall(self, ctx: Context[dict[str, Any]], metadata: dict[str, Any]) -> None:
        metadata["config"] = ctx.config

    @hookimpl
    def sleep(self, ctx: Context[dict[str, Any]], metadata: dict[str, Any]) -> None:
        metadata["config"] = ctx.config

    @hookimpl
    def resume(self, ctx: Context[dict[str, Any]], metadata: dict[str, Any]) -> None:
        metadata["config"] = ctx.config
