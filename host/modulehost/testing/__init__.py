"""For authors of plugins: what a module goes through in a cluster, on one's own machine.

``Operator`` calls a module host as the Forkspacer operator does, and keeps its metadata as that
one does: stored only on success, with Go's numbers and texts, lost when the operator loses it.
``conformance`` makes a test of each check that ``modulehost check`` does; the fixtures for pytest
are in ``modulehost.testing.pytest_plugin``.

The names are handed out lazily: pytest imports this package wherever modulehost is installed.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing.TYPE_CHECKING without the import of typing
if TYPE_CHECKING:
    from modulehost.testing.module import Module, OperationFailed
    from modulehost.testing.operator import Operator, Outcome, go_json, read_go_json
    from modulehost.testing.parametrised import conformance
    from modulehost.testing.server import ModuleServer

__all__ = [
    "Module",
    "ModuleServer",
    "OperationFailed",
    "Operator",
    "Outcome",
    "conformance",
    "go_json",
    "read_go_json",
]

_HOMES = {
    "Module": "module",
    "ModuleServer": "server",
    "OperationFailed": "module",
    "Operator": "operator",
    "Outcome": "operator",
    "conformance": "parametrised",
    "go_json": "operator",
    "read_go_json": "operator",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
