"""Ignores and blocks all signals that can be, then does as THEN says: hang, or return."""

import contextlib
import os
import signal
import time
from typing import Any

import beast

from modulehost import Context


class Manager(beast.Manager):
    """No signal but SIGKILL ends it."""

    def misbehave(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        for number in signal.valid_signals():
            with contextlib.suppress(OSError, ValueError):
                signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        signal.set_wakeup_fd(-1)
        beast.tell("misbehaving", os.getpid())
        if os.environ.get("THEN") == "hang":
            time.sleep(60)
