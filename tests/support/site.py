"""Installs the small plugins of ``tests/plugins`` for one host.

A plugin is one module. Beside it goes the metadata that pip would write, so that it is found,
selected and loaded as every installed package is.
"""

from __future__ import annotations

import shutil
from pathlib import Path

PLUGINS = Path(__file__).parents[1] / "plugins"


def install(site: Path, module: str, name: str | None = None, package: str | None = None) -> None:
    """Install ``tests/plugins/MODULE.py`` into the folder, as plugin ``name``."""
    site.mkdir(parents=True, exist_ok=True)
    for file in (module, "beast"):  # what many of them stand on
        shutil.copy(PLUGINS / f"{file}.py", site)
    write_metadata(site, package or f"test-{module.replace('_', '-')}", name or module, module)


def write_metadata(
    site: Path, package: str, name: str, module: str, value: str = "Manager"
) -> None:
    """Write the metadata of a package with one plugin."""
    folder = site / f"{package.replace('-', '_')}-1.0.dist-info"
    folder.mkdir(parents=True)
    metadata = f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\nSummary: For tests\n"
    (folder / "METADATA").write_text(metadata)
    (folder / "entry_points.txt").write_text(f"[modulehost.managers]\n{name} = {module}:{value}\n")
