"""Tells its secret wherever it can."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from modulehost import Context, ModuleError, hookimpl


class Config(msgspec.Struct):
    """A secret, and what is none."""

    token: Annotated[str, Meta(extra={"secret": True})]
    name: str = "shop"


class Manager:
    """Each operation tells in its own way."""

    config = Config

    @hookimpl
    def install(self, ctx: Context[Config], metadata: dict[str, Any]) -> None:
        token = ctx.config.token
        ctx.log.info(f"logging in with {token}", detail=f"token={token}")
        ctx.progress(f"trying {token}")
        raise ModuleError(f"the server refuses {token} for {ctx.config.name}")

    @hookimpl
    def uninstall(self, ctx: Context[Config], metadata: dict[str, Any]) -> None:
        metadata.clear()

    @hookimpl
    def sleep(self, ctx: Context[Config], metadata: dict[str, Any]) -> None:
        raise KeyError(ctx.config.token)

    @hookimpl
    def resume(self, ctx: Context[Config], metadata: dict[str, Any]) -> None:
        metadata.clear()
