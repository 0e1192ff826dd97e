"""Ends its process a moment after it was loaded, until the file ``well`` is there."""

import os
import threading

import beast


def end() -> None:
    """Wait a moment, and end the process."""
    if not beast.told("well"):
        os._exit(3)


threading.Timer(0.2, end).start()


class Manager(beast.Manager):
    """Good, while it lives."""
