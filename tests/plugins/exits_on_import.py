"""Calls sys.exit() while it is imported, and while the file ``well`` is not there."""

import sys

import beast

if not beast.told("well"):
    sys.exit(3)


class Manager(beast.Manager):
    """Good, once it can be imported."""
