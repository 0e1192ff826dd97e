"""Takes for ever to be imported, while the file ``well`` is not there."""

import time

import beast

if not beast.told("well"):
    beast.tell("importing")
    ends = time.monotonic() + 60
    while time.monotonic() < ends and not beast.told("well"):
        time.sleep(0.01)


class Manager(beast.Manager):
    """Good, once it has been imported."""
