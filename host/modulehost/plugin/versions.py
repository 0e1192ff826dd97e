"""Metadata that an older version of the plugin has left, brought up before a hook is given it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from copy import deepcopy
from typing import Any, Final

from modulehost.plugin.hooks import KEY
from modulehost.shared.describe import reason_of, type_name
from modulehost.shared.errors import ModuleError

FIELD: Final = "metadataVersion"
"""Where in ``metadata[KEY]`` the version is; where it is not, the version is 1."""

Migration = Callable[[dict[str, Any]], None]


class MigrationError(Exception):
    """A migration has raised: a bug of the plugin's, logged with the traceback."""


def problems(manager: object) -> Iterator[str]:
    """What is wrong with ``metadata_version`` and ``migrations``: every version has its way."""
    version = getattr(manager, "metadata_version", 1)
    migrations = getattr(manager, "migrations", {})
    if type(version) is not int or version < 1:
        yield "metadata_version is not an integer from 1 on"
    elif not isinstance(migrations, dict) or not all(map(callable, migrations.values())):
        yield "migrations is not a dict from version to function, like {1: add_the_port}"
    else:
        for missing in sorted({*range(1, version)} - migrations.keys()):
            yield (
                f"metadata of version {missing} has no way to {missing + 1}; add {missing}: to"
                " migrations, a function that changes the metadata in place"
            )
        for odd in sorted(map(repr, migrations.keys() - {*range(1, version)})):
            yield (
                f"migrations has {odd}, which leads nowhere: metadata_version is {version}, and"
                " each key is a version below it"
            )


def version_of(metadata: dict[str, Any]) -> int:
    """The version of metadata; raises ModuleError when what says so is none."""
    kept = metadata.get(KEY)
    version = kept.get(FIELD, 1) if isinstance(kept, dict) else 1
    if type(version) is not int or version < 1:
        raise ModuleError(f'metadata["{KEY}"]["{FIELD}"] is no version: send the last answer')
    return version


def brought_up(
    metadata: dict[str, Any],
    version: int,
    migrations: dict[int, Migration],
    config: Collection[str],
) -> tuple[dict[str, Any], bool]:
    """The metadata in that version, a changed copy if need be, and whether it was migrated.

    Where there is none yet, but for ``config``, the keys of the module's config, nothing is
    migrated. Raises ModuleError for a newer one, and MigrationError.
    """
    there = version_of(metadata)
    if there == version:
        return metadata, False
    if there > version:
        raise ModuleError(
            f"the metadata is of version {there}, and this plugin knows it up to {version}: it was"
            " left by a newer one; put that image back"
        )
    new = deepcopy(metadata)
    has_state = bool(metadata.keys() - {KEY, *config})
    if has_state:
        for number in range(there, version):
            _migrate(new, number, migrations[number])
    kept = new.get(KEY)
    new[KEY] = {**(kept if isinstance(kept, dict) else {}), FIELD: version}
    return new, has_state


def _migrate(metadata: dict[str, Any], number: int, migration: Migration) -> None:
    way = f"from version {number} to {number + 1}"
    try:
        result: object = migration(metadata)  # type: ignore[func-returns-value]
    except ModuleError:
        raise
    except Exception as error:
        raise MigrationError(f"the metadata cannot be brought {way}: {reason_of(error)}") from error
    if result is not None:
        raise ModuleError(
            f"the migration {way} returned {type_name(result)}, not None; change the metadata in"
            " place instead"
        )
