"""What a plugin imports is imported when it is loaded, whatever the host puts off: PEP 810."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.host import Host
from support.wire import assert_failure

LAZY = pytest.mark.skipif(sys.version_info < (3, 15), reason="Python has it from 3.15 on")
LINE = "surely_not_installed.anywhere as anywhere\n"


def host_with(folder: Path, line: str) -> Host:
    """A host whose plugin begins so."""
    host = Host(folder, "good")
    source = host.site / "good.py"
    source.write_text(source.read_text().replace("from typing", f"{line}from typing", 1))
    return host


def test_what_a_plugin_lacks_is_told_when_it_is_loaded(tmp_path: Path) -> None:
    """By its name; were it put off, it would end an operation in its middle."""
    with host_with(tmp_path, f"import {LINE}") as host:
        assert_failure(host.call("install", {}), "no module named surely_not_installed")


@LAZY
def test_a_plugin_that_wants_it_puts_imports_off_itself(tmp_path: Path) -> None:
    """Python's own word for it is honoured."""
    with host_with(tmp_path, f"lazy import {LINE}") as host:
        assert host.call("install", {}).status == 201
