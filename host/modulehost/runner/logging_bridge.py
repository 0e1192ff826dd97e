"""What libraries log through the standard library, as lines of the host's log.

``logging`` is taken over whenever it is imported, and is not imported before.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from modulehost.shared.log_records import write_record
from modulehost.shared.logs import Log

if TYPE_CHECKING:
    import logging
    from importlib.machinery import ModuleSpec
    from types import ModuleType

About = Callable[[], dict[str, str]]

_WRITTEN = "_modulehost_written"


def install(log: Log, about: About) -> None:
    """Take ``logging`` over now, or when it is imported.

    ``about`` says what each line tells of the operation that runs in this thread.
    """
    if "logging" in sys.modules:
        _take_over(log, about)
    else:
        sys.meta_path.insert(0, _Finder(lambda: _take_over(log, about)))


class _Finder:
    """Finds nothing by itself; has something done when ``logging`` was imported."""

    def __init__(self, then: Callable[[], None]) -> None:
        self._then = then

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name != "logging":
            return None
        sys.meta_path.remove(self)
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target)
            if spec is not None and spec.loader is not None:
                _add(spec.loader, self._then)
                return spec
        return None


def _add(loader: Any, then: Callable[[], None]) -> None:
    """Have the loader do something once it has loaded its module."""
    execute = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        execute(module)
        then()

    loader.exec_module = exec_module


def _take_over(log: Log, about: About) -> None:
    """Have the root logger, and all handlers for the standard streams, write to the host's log.

    A record comes out once, however many of them it passes: a plugin may call ``basicConfig``,
    with ``force`` too, or add a handler of its own.
    """
    import logging

    def write(record: logging.LogRecord) -> None:
        if not vars(record).setdefault(_WRITTEN, False):
            vars(record)[_WRITTEN] = True
            write_record(log, record, **about())

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            write(record)

    emit, configure = logging.StreamHandler.emit, logging.basicConfig
    ours, root = Handler(), logging.getLogger()

    def emit_or_write(self: logging.StreamHandler[Any], record: logging.LogRecord) -> None:
        if _is_standard(self.stream):
            write(record)
        else:
            emit(self, record)

    def configure_beside_ours(**options: Any) -> None:
        root.removeHandler(ours)  # or it would find the work done
        try:
            configure(**options)
        finally:
            root.addHandler(ours)

    root.addHandler(ours)
    root.setLevel(log.level)
    for owner, name, value in (
        (logging.StreamHandler, "emit", emit_or_write),
        (logging, "basicConfig", configure_beside_ours),
    ):
        setattr(owner, name, value)


def _is_standard(stream: Any) -> bool:
    """Whether it is one of this process's two outputs."""
    if stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        return True
    try:
        descriptor = stream.fileno()
    except Exception:  # noqa: BLE001 - a stream of somebody else's
        return False
    return descriptor in (1, 2)
