"""Has a config that is easy to get wrong."""

from typing import Annotated, Any, Literal

import beast
import msgspec
from msgspec import Meta

from modulehost import Context, hookimpl


class Config(msgspec.Struct, rename="camel"):
    """Three items, two of them required."""

    app_name: str
    replicas: Annotated[int, Meta(ge=1, le=10)]
    size: Literal["small", "large"] = "small"


class Manager(beast.Manager):
    """Good; its health tells its config."""

    config = Config

    @hookimpl
    def health(self, ctx: Context[Any]) -> None:
        """Well."""
