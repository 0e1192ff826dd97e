"""Imports that are put off until what they bring is used, and so for most things for ever.

The gain is measured in ``benchmarks/``: without it a module's pod takes some megabytes and
milliseconds more, for e-mail, argument parsers and event loops that no module needs. Python 3.15
does it itself (PEP 810); for older ones the dear modules are named here.
"""

from __future__ import annotations

import sys
from importlib import import_module

TYPE_CHECKING = False  # typing.TYPE_CHECKING without the import of typing
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType
else:
    ModuleType = type(sys)

SERVER_LATE = ("argparse", "html", "importlib.metadata", "mimetypes")
"""What gunicorn and Flask import, for command lines, error pages and files that nobody serves."""


def put_off_imports(on: bool) -> None:
    """From here on, what modules import at their top waits until it is used, where Python can.

    Off before a plugin is imported: what that lacks shall fail there, by name. A plugin that wants
    it has Python's own ``lazy import``, which is honoured either way.
    """
    if hasattr(sys, "set_lazy_imports"):
        sys.set_lazy_imports("all" if on else "normal")


def _are_put_off() -> bool:
    return hasattr(sys, "get_lazy_imports") and sys.get_lazy_imports() == "all"


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
    if _are_put_off():
        late = ()
    stand_ins: dict[str, ModuleType | None] = {n: _Late(n) for n in late if n not in sys.modules}
    stand_ins |= {n: None for n in absent if n not in sys.modules}
    sys.modules.update(stand_ins)  # type: ignore[arg-type]  # None: "No module named ..."
    try:
        return import_module(name)
    finally:
        for other, stand_in in stand_ins.items():
            if sys.modules.get(other) is stand_in:
                del sys.modules[other]
