"""What plugin authors import: ``from modulehost import hookimpl, Context, ModuleError``.

The names are handed out lazily, so that the keeper can import this package and still listen
before anything else is loaded.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing.TYPE_CHECKING without the import of typing
if TYPE_CHECKING:
    from modulehost.plugin.context import Completed, Context
    from modulehost.plugin.hooks import hookimpl
    from modulehost.plugin.ledger import Created
    from modulehost.plugin.secret import Secret
    from modulehost.shared.errors import Cancelled, ModuleError

__all__ = ["Cancelled", "Completed", "Context", "Created", "ModuleError", "Secret", "hookimpl"]
__version__ = "0.1.0"

_HOMES = {
    "Cancelled": "shared.errors",
    "Completed": "plugin.context",
    "Context": "plugin.context",
    "Created": "plugin.ledger",
    "ModuleError": "shared.errors",
    "Secret": "plugin.secret",
    "hookimpl": "plugin.hooks",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
