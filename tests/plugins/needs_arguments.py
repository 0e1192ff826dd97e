"""Its manager cannot be made."""

import beast


class Manager(beast.Manager):
    """Wants an argument."""

    def __init__(self, name: str) -> None:
        self.name = name
