"""Tells of an operation that fails since the cluster refuses the workspace's credentials."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Final

from modulehost.shared.logs import Log
from modulehost.shared.unauthorized import is_unauthorized

_HINT: Final = (
    "for a workspace in the operator's cluster they are bound to the operator's pod, and that was"
    " replaced; give the workspace a kubeconfig with credentials that last, or the module the"
    " permission controller, or a fresh pod: see docs/cluster.md"
)


class Refused:
    """Of one runner: whether a 401 was seen, and an operation failed. Then that is told, once.

    What the plugin prints is read by other threads, and may come after the operation's end.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_seen = False
        self._failed: tuple[Log, Mapping[str, str]] | None = None

    def look(self, text: str) -> None:
        """Look at something that the plugin says."""
        if is_unauthorized(text):
            self.is_seen()

    def is_seen(self) -> None:
        """There was a 401."""
        with self._lock:
            self._is_seen = True
        self._tell()

    def operation_failed(self, log: Log, about: Mapping[str, str]) -> None:
        """An operation has failed; the runner is not used again."""
        with self._lock:
            self._failed = log, about
        self._tell()

    def _tell(self) -> None:
        with self._lock:
            if not self._is_seen or self._failed is None:
                return
            (log, about), self._failed = self._failed, None
        log.event("warning", "the cluster refuses the credentials", **about, hint=_HINT)
