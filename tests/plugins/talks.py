"""Prints, logs and runs a program that prints, as much as the metadata's ``lines`` says."""

from typing import Any

from modulehost import Context, hookimpl


class Manager:
    """Talks in each operation."""

    @hookimpl
    def install(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        for number in range(metadata["lines"]):
            print("printed", number, flush=True)
            ctx.log.info("logged", number=number)
        done = ctx.run(["seq", str(metadata["lines"])])
        metadata["seen"] = len(done.stdout.splitlines())

    @hookimpl
    def uninstall(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        ctx.log.info("uninstalling")
        metadata.clear()

    sleep = resume = install
