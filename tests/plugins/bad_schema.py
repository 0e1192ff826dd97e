"""Its config, deadlines and permissions are none."""

import beast
import msgspec


class Config(msgspec.Struct):
    """Not flat."""

    nested: dict[str, dict[str, int]]


class Manager(beast.Manager):
    """Wrong in three ways at once."""

    config = Config
    permissions = "workspace"
    deadlines = {"instal": 10}  # noqa: RUF012 - as plugins have it
