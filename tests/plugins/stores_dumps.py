"""Keeps a dump in the store while it sleeps; ``size`` of the environment is its bytes.

``fault`` says once what goes wrong while it is written: "die" or "fail".
"""

import io
import os
import random
import resource
import signal
from typing import Any

import beast

from modulehost import Context, ModuleError, hookimpl

SIZE = int(os.environ.get("SIZE", "3000000"))
PIECE = 100_000


class Manager(beast.Manager):
    """Sleep writes, resume reads and compares, uninstall removes all."""

    @hookimpl
    def sleep(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        self._log_in(ctx)
        number = metadata.get("dumps", 0) + 1
        generator = random.Random(number)
        if beast.told("full"):
            resource.setrlimit(resource.RLIMIT_FSIZE, (PIECE, resource.RLIM_INFINITY))
        with ctx.store.write("shop.dump") as file:
            for _ in range(SIZE // PIECE):
                file.write(generator.randbytes(PIECE))
            self._go_wrong()
        metadata["dumps"] = number
        metadata["names"] = ctx.store.names()

    @hookimpl
    def resume(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        self._log_in(ctx)
        generator = random.Random(metadata["dumps"])
        with ctx.store.read("shop.dump") as raw:
            file = io.BufferedReader(raw)
            for _ in range(SIZE // PIECE):
                if file.read(PIECE) != generator.randbytes(PIECE):
                    raise ModuleError("the dump is another one")
            assert file.read(1) == b""

    @hookimpl
    def uninstall(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        self._log_in(ctx)
        beast.tell("created", "\n".join(str(made.confirmed) for made in ctx.created("stored")))
        for thing in ctx.created("stored"):
            ctx.store.delete(thing.name)

    def _log_in(self, ctx: Context[Any]) -> None:
        if "AWS_ENDPOINT_URL" in os.environ:
            for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
                if variable not in os.environ:
                    os.environ[variable] = ctx.secret("dumps-bucket", variable).reveal()

    def _go_wrong(self) -> None:
        path = beast.FOLDER / "fault"
        how = path.read_text() if path.exists() else ""
        path.unlink(missing_ok=True)
        if how == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "fail":
            raise ModuleError("half-way through")
