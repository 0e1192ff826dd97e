"""Fixtures for all tests."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.host import Host, StartHost

# a shell has its background jobs ignore it, and so all that they start
signal.signal(signal.SIGINT, signal.default_int_handler)

pytest.register_assert_rewrite("support.faults", "support.wire")


@pytest.fixture
def start_host(tmp_path: Path) -> Iterator[StartHost]:
    """Start hosts: ``start_host("good", MODULE_IDLE=1)``; at the end all must stop cleanly."""
    with contextlib.ExitStack() as stack:
        number = 0

        def start(*plugins: str, **settings: Any) -> Host:
            nonlocal number
            number += 1
            folder = tmp_path / f"host{number}"
            folder.mkdir()
            return stack.enter_context(Host(folder, *plugins, **settings))

        yield start
