"""Imports a module without the dear ones that it imports and hardly ever uses.

What is late is imported when one of its names is first used; whoever else imports it gets it as
ever. The gain is measured in ``benchmarks/``: without it a module's pod takes some megabytes and
milliseconds more, for e-mail, argument parsers and event loops that no module needs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import import_module
from types import ModuleType
from typing import Final

SERVER_LATE: Final = ("argparse", "html", "importlib.metadata", "mimetypes")
"""What gunicorn and Flask import, for command lines, error pages and files that nobody serves."""


class _Late(ModuleType):
    """Stands in for a module until one of its names is used."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)  # the import system looks for those
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)


def import_with_late(name: str, late: Iterable[str] = (), absent: Iterable[str] = ()) -> ModuleType:
    """Import a module; to it some others are late, or not there at all."""
    stand_ins: dict[str, ModuleType | None] = {n: _Late(n) for n in late if n not in sys.modules}
    stand_ins |= {n: None for n in absent if n not in sys.modules}
    sys.modules.update(stand_ins)  # type: ignore[arg-type]  # None: "No module named ..."
    try:
        return import_module(name)
    finally:
        for other, stand_in in stand_ins.items():
            if sys.modules.get(other) is stand_in:
                del sys.modules[other]
