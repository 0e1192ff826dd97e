"""Creates resources and removes one of them at a time: uninstall fails while any is left."""

from typing import Any

from modulehost import Cancelled, Context, ModuleError, hookimpl


class Manager:
    """The metadata names its resources; it may also ask for a bad install."""

    @hookimpl
    def install(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        metadata["resources"] = ["a"]
        if metadata.get("wait"):
            ctx.checkpoint()
            ctx.progress("one resource is there")
            try:
                ctx.wait(30)
            except Cancelled:
                metadata["resources"].append("b")
                raise
        metadata["resources"].append(float("nan") if metadata.get("nan") else "b")

    @hookimpl
    def uninstall(self, metadata: dict[str, Any]) -> None:
        resources = metadata.get("resources", [])
        if resources:
            resources.pop()
        if resources:
            raise ModuleError(f"{len(resources)} left")

    @hookimpl
    def sleep(self) -> None: ...

    @hookimpl
    def resume(self) -> None: ...
