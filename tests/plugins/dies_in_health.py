"""Its health hook ends the process."""

import os
from typing import Any

import beast

from modulehost import Context, hookimpl


class Manager(beast.Manager):
    """Dies when it is asked how it is."""

    @hookimpl
    def health(self, ctx: Context[Any]) -> None:
        os._exit(3)
