"""``modulehost check`` against the Go server of the document Custom Module Development."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e import go_module
from support.host import free_port
from support.processes import wait_until

from modulehost.testing.contract import CHECKS
from modulehost.testing.wire import Server, WireError


@pytest.fixture(scope="module")
def go_server(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The server's binary."""
    return go_module.build(tmp_path_factory.mktemp("go"))


@pytest.fixture
def url(go_server: Path, tmp_path: Path) -> Iterator[str]:
    """Where the server runs."""
    port = free_port()
    server = Server(f"http://127.0.0.1:{port}", 1)
    environ = {**os.environ, "PORT": str(port)}
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([go_server], env=environ, stdout=log, stderr=log)
    try:

        def answers() -> bool:
            try:
                return server.get("/health").status == 200
            except WireError:
                return False

        wait_until(answers, "the Go server answers")
        yield server.url
    finally:
        process.terminate()
        process.wait(20)


def check(*arguments: str) -> tuple[int, dict[str, tuple[str, str]]]:
    """Run the command: its exit status, and outcome and reason of each check."""
    done = subprocess.run(
        [sys.executable, "-m", "modulehost", "check", *arguments, "--json"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    rows = json.loads(done.stdout)["checks"]
    return done.returncode, {row["id"]: (row["outcome"], row["reason"]) for row in rows}


def test_the_suite_shows_where_the_go_server_breaks_the_contract(url: str) -> None:
    """It answers ``null`` to ``null``, and its manager would write into a map that is nil."""
    status, results = check(url, "--yes")
    assert status == 1
    assert set(results) == {one.id for one in CHECKS if one.scope != "plugin"}
    assert results.pop("null-body") == ("failed", "the answer is no JSON object: it is null")
    assert set(results.values()) == {("passed", "")}


def test_the_rest_of_it_passes(url: str) -> None:
    """Where the server is right the suite says so."""
    assert check(url, "--yes", "--skip", "null-body", "idle-connection")[0] == 0
