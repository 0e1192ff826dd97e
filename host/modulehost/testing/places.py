"""Where a plugin under test keeps secrets and dumps: in folders, unless the environment says."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

SECRETS: Final = "secrets"
STORE: Final = "store"


def places(folder: Path) -> dict[str, str]:
    """The settings for that which are not set; their folders are made."""
    variables = {"MODULE_SECRETS": folder / SECRETS, "MODULE_STORE": folder / STORE}
    unset = {name: path for name, path in variables.items() if name not in os.environ}
    for path in unset.values():
        path.mkdir(parents=True, exist_ok=True)
    return {name: str(path) for name, path in unset.items()}
