"""The names of images, as the reference of the distribution project has them."""

from __future__ import annotations

import re
from typing import Final

_NAME: Final = re.compile(
    r"(?:(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[a-fA-F0-9:]+\])(?::[0-9]+)?/)?"
    r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
    r"(?P<tag>:[\w][\w.-]{0,127})?(?:@[a-z0-9]+:[0-9a-fA-F]{32,})?",
    re.ASCII,
)


def image_problem(image: str) -> str:
    """Why no node could pull an image of that name; "" when it is a name."""
    if _NAME.fullmatch(image):
        return ""
    better = re.sub(r"\s+", "", image.partition("://")[2] or image)
    name, colon, tag = better.rpartition(":")
    better = f"{name.lower()}{colon}{tag}" if "/" not in tag and name else better.lower()
    cure = f"did you mean {better}?" if _NAME.fullmatch(better) else "it takes REGISTRY/NAME:TAG"
    return f"{image!r} is no name of an image; {cure}"
