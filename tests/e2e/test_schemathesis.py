"""schemathesis: a stranger reads docs/openapi.yaml and tries what it says, and what it does not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.host import StartHost

DOCUMENT = Path(__file__).parents[2] / "docs" / "openapi.yaml"
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")


@pytest.mark.parametrize(
    ("plugin", "config"),
    [("good", None), ("configured", {"appName": "shop"}), ("raises", None)],
)
def test_a_stranger_finds_nothing_wrong(
    start_host: StartHost, tmp_path: Path, plugin: str, config: dict[str, str] | None
) -> None:
    """Good and bad requests, described or not: every answer is as described; the worker stays."""
    host = start_host(plugin, config=config, MODULE_IDLE=0, RAISES="ValueError")
    host.wait_for("plugin loaded")
    front = host.front
    checks = "all" if plugin == "good" else "not_a_server_error,status_code_conformance,"
    checks += "" if plugin == "good" else "content_type_conformance,response_schema_conformance"
    options = ("--checks", checks, "--max-examples", "40", "--seed", "1", "--no-color")
    done = subprocess.run(
        [SCHEMATHESIS, "run", DOCUMENT, "--url", f"http://127.0.0.1:{host.port}", *options],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-1000:]
    assert host.front == front
    assert host.health().status == 200
    assert not [event for event in host.events() if event["event"] == "the host failed"]
