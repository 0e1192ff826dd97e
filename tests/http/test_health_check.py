"""``modulehost call health --unless-asleep``: what the image's HEALTHCHECK runs."""

from __future__ import annotations

import os
import subprocess
import sys

from support.host import StartHost, free_port
from support.processes import wait_until


def check(port: int, operation: str = "health") -> subprocess.CompletedProcess[str]:
    """The check, as an engine runs it beside the host."""
    return subprocess.run(
        [sys.executable, "-m", "modulehost", "call", operation, "--unless-asleep"],
        env=os.environ | {"PORT": str(port)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_a_host_that_is_awake_is_asked(start_host: StartHost) -> None:
    """The check prints the answer of /health and succeeds."""
    host = start_host("good", MODULE_IDLE=0)
    assert host.health().status == 200
    result = check(host.port)
    assert (result.returncode, result.stdout.splitlines()[0]) == (0, "200 OK")


def test_a_host_that_is_asleep_is_well_and_sleeps_on(start_host: StartHost) -> None:
    """The check says so, without a connection: the keeper stays alone."""
    host = start_host("good", MODULE_IDLE=1)
    assert host.health().status == 200
    wait_until(host.is_asleep, "the host is asleep")
    result = check(host.port)
    assert (result.returncode, result.stdout) == (0, "asleep\n")
    assert host.is_asleep()
    assert len(host.events("asleep")) == 1


def test_a_host_without_a_usable_plugin_is_not_well(start_host: StartHost) -> None:
    """While it is awake, what /health says counts."""
    host = start_host("imports_the_missing", MODULE_IDLE=0)
    result = check(host.port)
    assert (result.returncode, result.stdout.splitlines()[0]) == (1, "503 SERVICE UNAVAILABLE")


def test_a_host_that_is_not_there_is_not_well() -> None:
    """Nobody holds the port: nobody is asleep on it."""
    result = check(free_port())
    assert result.returncode == 1
    assert "no answer on port" in result.stderr


def test_only_health_can_be_asked_so() -> None:
    """An operation is for a host that is awake: it would not be done otherwise."""
    result = check(free_port(), "install")
    assert (result.returncode, result.stderr) == (
        2,
        "modulehost: --unless-asleep is for health only\n",
    )
