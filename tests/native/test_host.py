"""The whole host, its first process the native listener: as without it, and smaller asleep."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support import native
from support.host import Host, StartHost, free_port
from support.processes import tree, wait_until

from modulehost.shared.names import LISTENER

SERVE = (sys.executable, "-m", "modulehost", "serve")
OURS = "shop.forkspacer-system.svc.cluster.local"
OTHER = "blog.forkspacer-system.svc.cluster.local"

pytestmark = pytest.mark.slow  # each starts a whole host


@pytest.fixture(scope="module")
def small() -> Path:
    """The program as it is in the image."""
    return native.built(*native.SMALL)


@pytest.fixture
def start(start_host: StartHost, small: Path) -> StartHost:
    """Start hosts with it."""

    def begin(*plugins: str, program: Path = small, **settings: object) -> Host:
        return start_host(*plugins, python=program, command=SERVE, **settings)

    return begin


def program_of(host: Host) -> str:
    """What the first process is at this moment."""
    return Path(f"/proc/{host.keeper}/exe").readlink().name


def asleep(host: Host) -> None:
    """Wait until the first process is the native listener."""
    wait_until(lambda: program_of(host) == "modulehost-listen", "it is asleep")


def test_a_life_with_naps(start: StartHost) -> None:
    """The process stays, and journal, name and uptime with it; asleep it takes next to nothing."""
    host = start("good", MODULE_IDLE=0.2)
    metadata = host.call("install", {}, Host=OURS).json
    first = host.health().json["uptime"]
    for operation in ("sleep", "resume"):
        asleep(host)
        assert tree(host.keeper) == [host.keeper]
        assert _own(host.keeper) < 200  # KiB; a Python's are thousands
        metadata = host.call(operation, metadata, Host=OURS).json
        asleep(host)
        assert OTHER.partition(".")[0] in host.call(operation, metadata, Host=OTHER).text
    assert metadata == {"install": 1, "sleep": 1, "resume": 1}
    assert host.health().json["uptime"] > first + 0.8
    assert host.call("uninstall", metadata, Host=OURS).status == 204
    assert len(host.events("listening")) == 1
    assert len(host.events("awake")) >= 4


def _own(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Anonymous:"))


def test_what_a_failed_operation_left_survives(start: StartHost) -> None:
    """The next call is given it after the host has slept."""
    host = start("raises", RAISES="ValueError", MODULE_IDLE=0.2)
    assert host.call("install", {}).status == 400
    asleep(host)
    assert host.call("uninstall", {}).status == 204
    assert host.wait_for("operation finished", 2)["outcome"] == "succeeded"


def test_a_plugin_sees_nothing_of_it(start: StartHost) -> None:
    """None of the variables by which the two programs hand the socket to each other."""
    host = start("good", MODULE_IDLE=0.2)
    for _ in range(2):
        assert host.call("resume", {}).status == 200
        environ = Path(f"/proc/{host.runner}/environ").read_bytes().split(b"\0")
        names = {line.partition(b"=")[0].decode() for line in environ if line}
        assert {name for name in names if name.startswith(("LISTEN_", LISTENER))} == set()
        asleep(host)


@pytest.mark.parametrize("naps", [5, pytest.param(40, marks=pytest.mark.slow)])
def test_a_call_at_each_edge_and_none_is_lost(start: StartHost, naps: int) -> None:
    """Again and again just when the host has fallen asleep, or is about to."""
    host = start("good", MODULE_IDLE=0.1)
    metadata: dict[str, int] = {}
    pause, chance = 0.12, random.Random(5)
    for _ in range(naps):
        reply = host.call("resume", metadata)
        assert reply.status == 200
        metadata = reply.json
        time.sleep(max(0.0, pause + chance.random() * 0.02))
        # looks for the very moment: longer while it is awake, shorter once it is not
        pause += -0.02 if host.is_asleep() else 0.015
    assert metadata == {"resume": naps}
    assert len(host.events("asleep")) > naps // 5


STOPS = [signal.SIGTERM, signal.SIGINT]


@pytest.mark.parametrize("number", STOPS)
def test_a_signal_in_the_first_moment_ends_it(
    tmp_path: Path, small: Path, number: signal.Signals
) -> None:
    """Process 1 is not ended by what it does not handle yet; here that is played by a block."""
    host = Host(tmp_path, "good", python=small, command=SERVE)
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        host.start()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
    assert host.stop(number) == 0
    assert host.survivors() == []


@pytest.mark.parametrize("phase", ["starting", "awake", "falling asleep", "asleep"])
@pytest.mark.parametrize("number", STOPS)
def test_it_ends_in_every_phase(start: StartHost, phase: str, number: signal.Signals) -> None:
    """With status 0, soon, and with nothing left."""
    host = start("good", MODULE_IDLE=0.2)
    if phase in ("awake", "asleep"):
        assert host.health().status == 200
    if phase == "falling asleep":
        host.wait_for("asleep")
    elif phase == "asleep":
        asleep(host)
    assert host.stop(number) == 0
    assert host.survivors() == []


def test_where_the_listener_has_gone_it_sleeps_in_python(start: StartHost, tmp_path: Path) -> None:
    """And says so; the next call is served all the same."""
    program = tmp_path / "modulehost-listen"
    shutil.copy(native.built(*native.SMALL), program)
    host = start("good", program=program, MODULE_IDLE=0.2)
    assert host.health().status == 200
    program.unlink()
    event = host.wait_for("the native listener cannot be run")
    assert (event["level"], event["reason"]) == (
        "warning",
        "FileNotFoundError: No such file or directory",
    )
    wait_until(host.is_asleep, "it is asleep")
    assert host.health().status == 200
    host.wait_for("asleep", 2)
    assert len(host.events("the native listener cannot be run")) == 1


@pytest.mark.parametrize("text", ["0", "http", "\uff18", "8 0"])
def test_a_port_that_is_none_is_told_in_the_keeper_s_words(small: Path, text: str) -> None:
    """Exit status 2 and one line."""
    done = _run(small, PORT=text)
    line = f"modulehost: PORT={text!r}: it takes a port from 1 to 65535\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", line)


def test_a_port_that_is_taken_is_told_likewise(small: Path) -> None:
    """The same as without the listener."""
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as taken:
        port = taken.getsockname()[1]
        done = _run(small, PORT=str(port))
    line = f"modulehost: cannot listen on port {port}: Address already in use; "
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(line)


def _run(program: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, *SERVE],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def test_the_argument_wins_over_the_variable(tmp_path: Path, small: Path) -> None:
    """``--port``, after the command of an image, is where the host listens, asleep as well."""
    port = free_port()
    command = (*SERVE, "--port", str(port))
    host = Host(tmp_path, "good", python=small, command=command, MODULE_IDLE=0.2)
    unused, host.port = host.port, port
    with host:
        for _ in range(2):
            assert host.health().status == 200
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", unused), 5)
            asleep(host)
