"""Which plugin is run for a Module: an image names one, but cannot be run here."""

from __future__ import annotations

import re

from modulehost.local.errors import RefusedError
from modulehost.plugin import discovery
from modulehost.shared.errors import PluginError


def choose(found: list[discovery.Found], image: str, named: str, wanted: str) -> discovery.Found:
    """The plugin ``named`` in the command, or else ``wanted`` by the environment; or else the only
    one, or the one whose package the image is called after. Raises RefusedError.
    """
    try:
        if named or wanted or len(found) < 2:
            return discovery.select(found, named or wanted or None)
    except PluginError as error:
        raise RefusedError(str(error).removeprefix("MODULE_PLUGIN=" if named else "")) from None
    repository = repository_of(image)
    match [one for one in found if repository in (_plain(one.package), _plain(one.name))]:
        case [one]:
            return one
    there = ", ".join(f"{one.name} ({one.package})" for one in found)
    raise RefusedError(
        f"several plugins are installed, {there}; the image {image} does not say which: name it"
        " with --plugin NAME"
    )


def image_notes(
    found: list[discovery.Found], image: str, served: str, *, was_named: bool
) -> list[str]:
    """What somebody should know who has named a Module's image, and is served that plugin."""
    names = {one.name: (_plain(one.package), _plain(one.name)) for one in found}
    repository = repository_of(image)
    if repository in names[served] or "{{" in image:
        return []
    others = [name for name, called in names.items() if repository in called]
    if others:
        return [f"the image {image} is that of the plugin {others[0]}, but {served} is served"]
    if was_named:
        return []
    return [
        f"the image {image} is called after neither the plugin {served} nor its package, which is"
        " served: is it the right one?"
    ]


def repository_of(image: str) -> str:
    """``shop`` of ``registry.example.com:5000/team/shop:1.0@sha256:...``."""
    return _plain(image.partition("@")[0].rpartition("/")[2].partition(":")[0])


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower())
