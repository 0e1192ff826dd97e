"""Makes a password and keeps it where MODULE_SECRETS says; it tells it in every way there is."""

import secrets
from typing import Any

import beast

from modulehost import Context, hookimpl


class Manager(beast.Manager):
    """Install makes the password or finds it, uninstall removes it."""

    permissions = ("workspace",)

    @hookimpl
    def install(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        password = ctx.secret("shop-db", "password", make=lambda: secrets.token_urlsafe(24))
        beast.tell("password", password.reveal())
        print("the password is", password.reveal())
        ctx.log.info("made", password=password, plain=password.reveal())

    @hookimpl
    def sleep(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        metadata["password"] = ctx.secret("shop-db", "password")

    @hookimpl
    def resume(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        ctx.secret("elsewhere/other", "token")

    @hookimpl
    def uninstall(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        for thing in ctx.created("secret"):
            ctx.remove_secret(thing.name)
