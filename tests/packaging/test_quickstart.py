"""The quick start, in an environment like the one which it makes."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.pages import Page
from support.venv import ROOT, Environment

pytestmark = pytest.mark.slow


def test_the_quick_start_is_one(wheels: list[Path], tmp_path: Path) -> None:
    """Its commands, one after the other, from the environment to the plugin's definition."""
    environment = Environment.make(tmp_path / "environment")
    host = [path for path in wheels if path.name.startswith("modulehost-")]
    environment.install(*host, Path("pip"), Path("pytest"), Path("PyYAML"), Path("jsonschema"))
    document = ROOT / "docs/quickstart.md"
    with Page(document, tmp_path / "page", environment.folder, PYTHONPATH="") as page:
        page.run()
