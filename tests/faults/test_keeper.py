"""Whatever fails around it, the first process lives, says why, and goes on when it can."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.host import Host, StartHost, free_port
from support.processes import tree, wait_until
from support.seccomp import FORKING, refusing
from support.wire import assert_failure

SERVE = "from modulehost.keeper.serve import main; raise SystemExit(main([]))"
NO_PROCESS = refusing(*FORKING) + SERVE
REASON = "the host cannot start: no process can be made: Resource temporarily unavailable"


def test_where_no_process_can_be_made_the_keeper_itself_answers(start_host: StartHost) -> None:
    """400 to each call and 503 to questions, with the reason; and it ends as ever."""
    host = start_host("good", command=("-c", NO_PROCESS))
    for operation in ("install", "uninstall", "sleep", "resume"):
        assert_failure(host.call(operation, {"a": 1}), REASON)
    health = host.health()
    assert (health.status, health.text.startswith(REASON)) == (503, True)
    assert host.request("HEAD", "/health").body == b""
    assert tree(host.keeper) == [host.keeper]
    assert host.wait_for("gunicorn ended")["reason"].startswith("no process can be made")


@pytest.mark.slow
def test_it_tries_again_after_growing_pauses(start_host: StartHost) -> None:
    """Not in a loop that takes a processor, and each try is a line of the log."""
    host = start_host("good", command=("-c", NO_PROCESS))
    host.wait_for("gunicorn ended", 2)
    before = Path(f"/proc/{host.keeper}/stat").read_text().split()[13:15]
    with contextlib.suppress(AssertionError):
        wait_until(lambda: len(host.events("gunicorn ended")) > 3, "too many tries", 2)
    assert len(host.events("gunicorn ended")) <= 3
    after = Path(f"/proc/{host.keeper}/stat").read_text().split()[13:15]
    assert sum(map(int, after)) - sum(map(int, before)) < 20  # of 100 a second


def test_without_descriptors_it_goes_on_when_there_are_some(start_host: StartHost) -> None:
    """Asleep it had enough; woken it has none left for gunicorn, nor to answer."""
    host = start_host("good", MODULE_IDLE=0.2)
    wait_until(host.is_asleep, "it is asleep")
    host.wait_for("asleep")
    limits = resource.prlimit(host.keeper, resource.RLIMIT_NOFILE)
    resource.prlimit(host.keeper, resource.RLIMIT_NOFILE, (3, limits[1]))
    with host.connect() as client:
        client.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        host.wait_for("gunicorn ended")
        resource.prlimit(host.keeper, resource.RLIMIT_NOFILE, limits)
        assert client.recv(9) == b"HTTP/1.1 "
    wait_until(lambda: host.health().status == 200, "it serves")


FAILS_ONCE = """
from modulehost.keeper.keeper import Keeper
end_children = Keeper._end_children
def fail_once(self):
    Keeper._end_children = end_children
    raise {error}
Keeper._end_children = fail_once
"""


@pytest.mark.slow
@pytest.mark.parametrize("error", ["MemoryError", "KeyboardInterrupt", "SystemExit(3)", "OSError"])
def test_no_exception_ends_the_keeper(start_host: StartHost, error: str) -> None:
    """Whatever is raised between two lives of gunicorn, there is another one."""
    command = ("-c", FAILS_ONCE.format(error=error) + SERVE)
    host = start_host("good", MODULE_IDLE=0.2, command=command)
    assert host.call("install", {}).status == 201
    event = host.wait_for("the keeper failed")
    assert event["reason"].startswith(error.partition("(")[0])
    assert host.call("resume", {"install": 1}).status == 200


def test_a_log_that_nobody_reads_holds_up_no_keeper(tmp_path: Path) -> None:
    """With the pipe of the log full from the start it is there, and ends when it is told to."""
    reader, writer = os.pipe()
    size = fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ)
    os.write(writer, b"x" * size)
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", NO_PROCESS],
        env={**os.environ, "PORT": str(port), "MODULE_STATE_DIR": str(tmp_path)},
        stdout=writer,
    )
    os.close(writer)
    try:
        host = Host(tmp_path)
        host.port = port
        wait_until(lambda: _answers(host), "the reason is served")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        os.close(reader)


def _answers(host: Host) -> bool:
    with contextlib.suppress(OSError):
        return host.health().status == 503
    return False
