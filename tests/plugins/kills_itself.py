"""Sends itself the signal WITH."""

import os
import signal
import time
from typing import Any

import beast

from modulehost import Context


class Manager(beast.Manager):
    """Dies of a signal."""

    def misbehave(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        os.kill(os.getpid(), signal.Signals[os.environ.get("WITH", "SIGKILL")])
        time.sleep(60)
