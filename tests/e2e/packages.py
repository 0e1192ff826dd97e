"""Wheels of the small plugins of ``tests/plugins``, for pip to install into images."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path

from support import site

_WHEEL = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def make_wheel(folder: Path, package: str, module: str, *requires: str, name: str = "") -> Path:
    """Make the package of ``tests/plugins/MODULE.py``, as plugin ``name``."""
    distribution = f"{package.replace('-', '_')}-1.0"
    wheel = folder / f"{distribution}-py3-none-any.whl"
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        site.install(root, module, name or package, package)
        info = root / f"{distribution}.dist-info"
        with (info / "METADATA").open("a") as metadata:
            metadata.writelines(f"Requires-Dist: {requirement}\n" for requirement in requires)
        (info / "WHEEL").write_text(_WHEEL)
        files = sorted(path for path in root.rglob("*") if path.is_file())
        record = info / "RECORD"
        names = [str(path.relative_to(root)) for path in (*files, record)]
        record.write_text("".join(f"{name},,\n" for name in names))
        with zipfile.ZipFile(wheel, "w") as archive:
            for file, where in zip((*files, record), names, strict=True):
                archive.write(file, where)
    wheel.chmod(0o644)
    return wheel
