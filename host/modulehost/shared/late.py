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


class Unused:
    """Stands in for a class of which nobody needs more than that it is there."""


class UnusedError(OSError):
    """The same for an error that nobody raises."""


Names = dict[str, dict[str, object]]

SERVER_LATE: Names = {
    **{name: {} for name in ("argparse", "click", "html", "importlib.metadata", "mimetypes")},
    "ssl": {
        "CERT_NONE": 0,
        "PROTOCOL_SSLv23": 2,
        "PROTOCOL_TLS": 2,
        "SSLError": UnusedError,
        "SSLEOFError": UnusedError,
    },
    "jinja2": dict.fromkeys(
        ("BaseLoader", "Environment", "FileSystemLoader", "Template", "TemplateNotFound"), Unused
    ),
    "flask.cli": {"AppGroup": Unused},
}
"""What gunicorn and Flask import, for command lines, pages and files that nobody serves.

With some, those of its names that are used already while they are imported, and never again.
"""


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
    """Stands in for a module until one of its names is used, but for those that it has itself."""

    def __init__(self, name: str, known: dict[str, object]) -> None:
        super().__init__(name)
        self.__dict__.update(known)

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)  # the import system looks for those
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)


def import_with_late(
    name: str,
    late: Names | Iterable[str] = (),
    absent: Iterable[str] = (),
    used: Iterable[str] = (),
) -> ModuleType:
    """Import a module; to it some others are late, or not there at all.

    ``used`` are imports of its own that shall not be put off until those are there again.
    """
    known = late if isinstance(late, dict) else {other: {} for other in late}
    if _are_put_off():
        known = {other: names for other, names in known.items() if names}
    stand_ins: dict[str, ModuleType | None] = {n: _Late(n, known[n]) for n in known}
    stand_ins |= dict.fromkeys(absent)
    stand_ins = {n: module for n, module in stand_ins.items() if n not in sys.modules}
    sys.modules.update(stand_ins)  # type: ignore[arg-type]  # None: "No module named ..."
    try:
        module = import_module(name)
        for own in used:
            getattr(module, own)
        return module
    finally:
        for other, stand_in in stand_ins.items():
            if sys.modules.get(other) is stand_in:
                del sys.modules[other]
