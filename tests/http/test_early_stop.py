"""A stop that comes before the first line of Python has run."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.host import free_port


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
def test_a_signal_that_waits_blocked_ends_the_host_at_its_start(
    tmp_path: Path, number: signal.Signals
) -> None:
    """Sent at once, as the image starts the host: with both blocked, so that none is lost."""
    environ = {"PORT": str(free_port()), "MODULE_STATE_DIR": str(tmp_path)}
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT])
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "modulehost", "serve"],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM, signal.SIGINT])
    process.send_signal(number)
    try:
        assert process.wait(30) == 0
    finally:
        process.kill()
    assert process.stdout
    assert b"stopped" in process.stdout.read()
    process.stdout.close()
