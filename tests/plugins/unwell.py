"""Its health hook does as UNWELL says: raise, exit, return False or something odd."""

import os
import sys
from typing import Any

import beast

from modulehost import Context, ModuleError, hookimpl


class Manager(beast.Manager):
    """Not well."""

    @hookimpl
    def health(self, ctx: Context[Any]) -> Any:
        match os.environ.get("UNWELL", "false"):
            case "raise":
                raise ModuleError("2 of 3 replicas are down")
            case "exit":
                sys.exit(3)
            case "odd":
                return "fine"
            case "false":
                return False
        return None
