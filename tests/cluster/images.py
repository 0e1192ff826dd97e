"""The images of the stories: a plugin, and settings that are baked in as an author would."""

from __future__ import annotations

from typing import Final, NamedTuple


class Image(NamedTuple):
    """An image by its name, with the module of ``tests/plugins`` that is in it."""

    name: str
    plugin: str
    settings: dict[str, str]


MODULE: Final = "localhost/modulehost-story:1"
"""The plugin of the stories."""

SLEEPER: Final = "localhost/modulehost-sleeper:1"
"""The same, and it falls asleep when no connection is open for a second."""

MISSING: Final = "localhost/modulehost-missing:1"
"""No registry has this one."""

IMAGES: Final = {
    image.name: image
    for image in (
        Image(MODULE, "keeps_configmaps", {}),
        Image(SLEEPER, "keeps_configmaps", {"MODULE_IDLE": "1"}),
    )
}
