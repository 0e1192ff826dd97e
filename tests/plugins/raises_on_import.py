"""Cannot be imported, while the file ``well`` is not there."""

import beast

if not beast.told("well"):
    raise RuntimeError("the licence has expired")


class Manager(beast.Manager):
    """Good, once it can be imported."""
