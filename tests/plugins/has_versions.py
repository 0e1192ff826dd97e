"""Its metadata is of version 3; the environment says how its migrations are broken."""

import os
from typing import Any, ClassVar

import beast
import msgspec

HOW = os.environ.get("BREAK_MIGRATION", "")


class Config(msgspec.Struct):
    """One item, which is no state."""

    size: int = 1


def name_becomes_names(metadata: dict[str, Any]) -> None:
    """1 to 2."""
    metadata["names"] = [metadata.pop("name")]


def names_have_ports(metadata: dict[str, Any]) -> Any:
    """2 to 3."""
    metadata["ports"] = dict.fromkeys(metadata.pop("names"), 80)
    if HOW == "raises":
        raise ValueError("no such port")
    return metadata if HOW == "returns" else None


class Manager(beast.Manager):
    """Counts its operations."""

    config = Config
    metadata_version = 3
    migrations: ClassVar = {1: name_becomes_names, 2: names_have_ports}

    def misbehave(self, ctx: Any, metadata: dict[str, Any]) -> None:
        """It does not."""
