"""An image of one file, as docker archives have it: that takes no container engine."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from pathlib import Path

_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


def write(target: Path, name: str, program: Path) -> None:
    """Write the image ``name``, which runs the program, a static one."""
    layer = _tar({program.name: program.read_bytes()}, 0o755)
    config = json.dumps(
        {
            "architecture": _MACHINES[platform.machine()],
            "os": "linux",
            "config": {"Entrypoint": [f"/{program.name}"]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{_digest(layer)}"]},
        }
    ).encode()
    config_name = f"{_digest(config)}.json"
    manifest = [{"Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"]}]
    files = {
        config_name: config,
        "layer.tar": layer,
        "manifest.json": json.dumps(manifest).encode(),
    }
    target.write_bytes(_tar(files, 0o644))


def _tar(files: dict[str, bytes], mode: int) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), mode
            tar.addfile(info, io.BytesIO(content))
    return archive.getvalue()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
