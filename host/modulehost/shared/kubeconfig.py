"""The workspace's kubeconfig, which the operator mounts with the permission ``workspace``."""

from __future__ import annotations

import os

KUBECONFIG = "workspace_kubeconfig"


def kubeconfig(folder: str) -> str | None:
    """Its path, when it is there."""
    path = f"{folder}/{KUBECONFIG}"
    return path if os.path.isfile(path) else None  # noqa: PTH113 - pathlib is dear
