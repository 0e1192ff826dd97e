"""Knows secrets and tells nobody; fails in each way that ``do`` in the metadata names."""

import ctypes
import os
import subprocess
from pathlib import Path
from typing import Annotated, Any

import beast
import msgspec
from msgspec import Meta

from modulehost import Context, ModuleError


class Config(msgspec.Struct):
    """A secret, and what somebody forgot to mark as one."""

    token: Annotated[str, Meta(extra={"secret": True})] = ""
    password: Annotated[str, Meta(pattern="^[a-z0-9-]*$")] = ""


class Manager(beast.Manager):
    """Has them all at hand when it fails."""

    config = Config

    def _operate(self, ctx: Context[Config], metadata: dict[str, Any]) -> None:
        secrets = [
            ctx.config.token,
            ctx.config.password,
            Path(ctx.kubeconfig or "").read_text(),
            os.environ["PLANTED"],
            metadata["planted"],
        ]
        ctx.log.info("working", secrets=len(secrets))
        metadata["more"] = {"list": [secrets[4]]}
        self._end(ctx, metadata, metadata["do"], secrets)

    def _end(self, ctx: Context[Config], metadata: dict[str, Any], how: str, secrets: Any) -> None:
        match how:
            case "fail":
                raise ModuleError("the database refuses us")
            case "raise":
                try:
                    int(f"{len(secrets)}x")
                except ValueError as error:
                    raise RuntimeError("it has no number") from error
            case "raise with the token":
                raise ModuleError(f"cannot log in with {ctx.config.token}")
            case "exit":
                ctx.checkpoint()
                os._exit(3)
            case "segfault":
                ctx.checkpoint()
                ctypes.string_at(0)
            case "overrun":
                ctx.wait(60)
            case "leave NaN":
                metadata["more"]["list"].append(float("nan"))
            case "leave bytes":
                metadata["more"]["bytes"] = secrets[4].encode()
            case "leave too much":
                metadata["more"]["much"] = secrets[4] * 10_000
            case "run":
                ctx.run(["sh", "-c", "exit 3"], env={**os.environ, "TOKEN": secrets[0]})
            case "run with secrets":
                subprocess.run(["false", secrets[0]], check=True)
