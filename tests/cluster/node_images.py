"""The images for the real node, as a docker archive."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cluster.images import IMAGES, Image
from e2e import packages
from e2e.conftest import make_image
from e2e.containers import Engine

import modulehost

EXAMPLE: Final = f"registry.example.com/modulehost-example:{modulehost.__version__}"
"""The example, under the name that it has in ``deploy/``."""

_PACKAGE = "story-plugin"


def build(engine: Engine, target: Path) -> None:
    """Build the images of the stories, and the example's, into one archive."""
    make_image(engine)
    example = make_image(engine, "example")
    for image in IMAGES.values():
        _build(engine, image)
    engine("tag", example, EXAMPLE)
    names = (EXAMPLE, *IMAGES)
    engine("save", "--multi-image-archive", "--quiet", "--output", str(target), *names)


def _build(engine: Engine, image: Image) -> None:
    """As the documentation says: the host's image, and a plugin that pip installs."""
    packages.make_wheel(engine.wheels, _PACKAGE, image.plugin)
    settings = [f"ENV {name}={value}\n" for name, value in image.settings.items()]
    dockerfile = f"FROM modulehost\nRUN pip install {_PACKAGE}\n{''.join(settings)}"
    done = engine.build(dockerfile, image.name)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
