"""``modulehost serve --reload``: a change in the plugin's files restarts its process.

For development: without the flag nothing of this is imported. It is the front that watches, so a
plugin that does not load is mended by saving it once more.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from importlib import invalidate_caches
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from modulehost.plugin import discovery
from modulehost.shared.errors import PluginError

if TYPE_CHECKING:
    from modulehost.front.operations import Operations

try:
    from watchfiles import watch
except ImportError:  # of the extra dev
    watch = None  # type: ignore[assignment]

EVERY: Final = 0.25
"""Seconds between two looks at the files, where the package watchfiles does not tell of changes."""

AT_LEAST: Final = 1.0
"""Seconds between two looks where it does: it sees files, and not what is installed."""

QUIET: Final = 0.1
"""Seconds for which the files must stay as they are, unless a call comes."""

ENTRY_POINT: Final = "the entry point"

_MOST_NAMES: Final = 5  # in a log line

State = dict[str, object]


class Watcher(threading.Thread):
    """Looks for changes of the plugin. To be made before the first runner is started."""

    def __init__(self, operations: Operations) -> None:
        super().__init__(name="reload", daemon=True)
        self._operations = operations
        if not sys.flags.safe_path:
            del sys.path[0]  # a runner is started with -P, and does not look there
        # else what is saved twice in a second may be taken for what was compiled in between
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        self._lock = threading.Lock()
        self._loaded = self._look()

    def run(self) -> None:
        """Look, until the host ends."""
        while True:
            self._await_change()
            state = self._look()
            while state != self._loaded:
                time.sleep(QUIET)
                before, state = state, self._look()
                if state == before:
                    self._reload(state)

    def look_now(self) -> None:
        """A call has come: what was saved before it counts for it."""
        self._reload(self._look())

    def _look(self) -> State:
        return look(self._operations.settings.plugin)

    def _await_change(self) -> None:
        folders = {os.path.dirname(path) for path in self._loaded if path.startswith("/")}  # noqa: PTH120 - as text
        there = [folder for folder in folders if os.path.isdir(folder)]  # noqa: PTH112
        if watch is None or not there:
            time.sleep(EVERY)
            return
        timeout = int(AT_LEAST * 1000)
        for _ in watch(
            *there, recursive=False, watch_filter=None, rust_timeout=timeout, yield_on_timeout=True
        ):
            return

    def _reload(self, state: State) -> None:
        with self._lock:
            if state != self._loaded:
                self._load(state)

    def _load(self, state: State) -> None:
        names = state.keys() | self._loaded.keys()
        changed = sorted(name for name in names if state.get(name) != self._loaded.get(name))
        more = [f"and {len(changed) - _MOST_NAMES} more"] if len(changed) > _MOST_NAMES else []
        self._loaded = state
        running = self._operations.reload()
        self._operations.log.event(
            "info",
            "the plugin has changed",
            files=", ".join(changed[:_MOST_NAMES] + more),
            **({} if running is None else {"waits_for": running}),
        )


def look(name: str | None) -> State:
    """The plugin's entry point, and for each of its files what a change of it changes."""
    invalidate_caches()
    try:
        found = discovery.select(discovery.find(), name)
    except PluginError as error:
        return {ENTRY_POINT: str(error)}
    state: State = {ENTRY_POINT: found}
    for module in _modules(found):
        for path in _files(module):
            try:
                about = os.stat(path)  # noqa: PTH116 - walked as text
            except OSError:
                continue
            state[path] = (about.st_mtime_ns, about.st_size, about.st_ino)
    return state


def _modules(found: discovery.Found) -> set[str]:
    """The top-level modules of the package that the plugin is in."""
    try:
        names = (distribution(found.package).read_text("top_level.txt") or "").split()
    except PackageNotFoundError:
        names = []  # pip takes it away just now
    return {found.value.partition(":")[0].partition(".")[0], *names}


def _files(module: str) -> Iterator[str]:
    """The files of a top-level module, which is not imported for that."""
    spec = find_spec(module)
    if spec is None:
        return
    if spec.submodule_search_locations is None:
        yield spec.origin or ""
        return
    for top in spec.submodule_search_locations:
        for folder, folders, files in os.walk(top):
            folders[:] = [name for name in folders if not _is_ignored(name)]
            yield from (f"{folder}/{name}" for name in files if not _is_ignored(name))


def _is_ignored(name: str) -> bool:
    """Whether Python or an editor has made it for itself."""
    return name.startswith(".") or name.endswith(("~", ".pyc")) or name == "__pycache__"
