"""Wherever the example is killed, uninstall leaves nothing."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from modulehost.testing import conformance

pytestmark = pytest.mark.slow

DIRECTORY = Path(tempfile.gettempdir(), f"modulehost-example-{os.getpid()}")


@pytest.fixture(autouse=True)
def selected(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The plugin that these tests are for, and its directory, which goes with them."""
    monkeypatch.setenv("MODULE_PLUGIN", "example")
    yield
    shutil.rmtree(DIRECTORY, ignore_errors=True)


def leftovers(_: dict[str, Any]) -> Iterable[Path]:
    """Resources and drafts; directories of namespaces stay, as namespaces do in a cluster."""
    return (path for path in DIRECTORY.rglob("*") if path.is_file())


test_conformance = conformance(only=["killed"], leftovers=leftovers, EXAMPLE_DIR=DIRECTORY)
