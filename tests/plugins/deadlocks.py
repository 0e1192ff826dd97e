"""Waits for a lock that it holds itself."""

import os
import threading
from typing import Any

import beast

from modulehost import Context


class Manager(beast.Manager):
    """Never goes on."""

    def misbehave(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        beast.tell("misbehaving", os.getpid())
        lock = threading.Lock()
        lock.acquire()
        lock.acquire()
