"""Ends its process while it is imported, as HOW says, while the file ``well`` is not there."""

import ctypes
import os

import beast

if not beast.told("well"):
    if os.environ.get("HOW") == "segfault":
        ctypes.string_at(0)
    os._exit(3)


class Manager(beast.Manager):
    """Good, once it can be imported."""
