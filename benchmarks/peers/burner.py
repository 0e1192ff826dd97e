"""Two plugins for the one measure that the example cannot serve: they burn a core."""

import time
from typing import Any

from modulehost import Context, hookimpl


class Manager:
    """Burns a core for as many seconds as the metadata says."""

    @hookimpl
    def install(self, metadata: dict[str, Any]) -> None:
        ends = time.monotonic() + metadata.get("burn", 0)
        while time.monotonic() < ends:
            pass

    @hookimpl
    def uninstall(self) -> None:
        pass

    @hookimpl
    def sleep(self) -> None:
        pass

    @hookimpl
    def resume(self) -> None:
        pass


class Watched(Manager):
    """The same with a health hook: each question for the health goes to the busy process."""

    @hookimpl
    def health(self, ctx: Context[Any]) -> bool:
        return not ctx.cancelled
