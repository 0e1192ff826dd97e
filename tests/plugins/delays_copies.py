"""Has a copy of its metadata reach the host later than a checkpoint that was made after it."""

import os
import threading
import time
from typing import Any

import beast

from modulehost import Context
from modulehost.shared.channel import Channel
from modulehost.shared.records import Snapshot

_send = Channel.send
_kept = threading.Event()
_sent = threading.Event()


def send(self: Channel, record: Any) -> None:
    """The host's own; copies wait."""
    if isinstance(record, Snapshot) and not _sent.is_set():
        beast.tell("copied")
        _kept.wait(20)
        _send(self, record)
        _sent.set()
    else:
        _send(self, record)


Channel.send = send  # type: ignore[method-assign]


class Manager(beast.Manager):
    """Ends its process once the late copy is sent."""

    def misbehave(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        metadata["state"] = "old"
        while not beast.told("copied"):
            time.sleep(0.01)
        metadata["state"] = "new"
        ctx.checkpoint()
        _kept.set()
        _sent.wait(20)
        time.sleep(0.3)
        os._exit(9)
