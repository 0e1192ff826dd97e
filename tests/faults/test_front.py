"""The front itself in trouble: without threads, stopped, held up; nothing of it loses a call."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.faults import PROMPT, calling, given, gone, is_running, tell
from support.host import Host, StartHost
from support.processes import wait_until
from support.wire import Wire, post

LITTLE = 4 << 20
"""Bytes of address space that a process needs for its work, and too few for another thread."""


def serve(*patches: str) -> tuple[str, ...]:
    """``modulehost serve``, a few things of the front changed before."""
    code = [*patches, "from modulehost.keeper.serve import main", "raise SystemExit(main([]))"]
    return ("-c", "\n".join(code))


HURRIED = serve("import modulehost.front.gunicorn as g", "g.timeout, g.LOOK_EVERY = 2, 1")
"""Takes a front for hung after 2 s instead of 40."""


@contextmanager
def no_more_threads(pid: int) -> Iterator[None]:
    """A process in which no thread can be made: the stack of one would not fit any more."""
    status = Path(f"/proc/{pid}/status").read_text()
    size = int(status.partition("VmSize:")[2].split()[0]) << 10
    before = resource.prlimit(pid, resource.RLIMIT_AS, (size + LITTLE, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_AS, before)


def test_without_another_thread_the_operation_goes_on(start_host: StartHost) -> None:
    """Whoever comes meanwhile waits or is refused; the same front serves on afterwards."""
    host = start_host("waits", MISBEHAVE_IN="install")
    install = calling(host, "install", {})
    is_running(host)
    front = host.front
    with no_more_threads(front):
        crowd = [calling(host, "sleep", {}) for _ in range(8)]
        time.sleep(0.5)
        tell(host, "go")
        assert install.result(10).status == 201
    assert host.front == front
    for reply in crowd:
        reply.exception(30)  # refused, or done after all
    assert host.call("uninstall", install.result().json).status == 204
    assert host.front == front


def test_a_runner_that_cannot_be_looked_after_is_answered_for(start_host: StartHost) -> None:
    """A reason while no thread can be made for what it prints; then the next call has a runner.

    The system's refusal is played here: glibc keeps the stacks of ended threads for the next.
    """
    host = start_host(
        "good",
        command=serve(
            "import os, threading, modulehost.front.plugin_output as o",
            "start = o.Output.start",
            "def refused(self):",
            "    if os.path.exists(os.environ['TEST_FOLDER'] + '/full'):",
            '        raise RuntimeError("can\'t start new thread")',
            "    start(self)",
            "o.Output.start = refused",
        ),
    )
    assert host.call("install", {}).status == 201
    runner, front = host.runner, host.front
    tell(host, "full")
    os.kill(runner, signal.SIGKILL)
    gone(runner)
    reply = host.call("sleep", {"a": 1})
    assert reply.status == 400
    assert "the plugin's process cannot be looked after: RuntimeError" in reply.text
    (host.folder / "full").unlink()
    assert host.call("sleep", {"a": 2}).status == 200
    assert host.front == front


def test_without_its_thread_for_runners_the_front_is_replaced(start_host: StartHost) -> None:
    """If that thread ends in spite of its guard, another front is there for the next call."""
    host = start_host(
        "good",
        command=serve(
            "import modulehost.front.runners as r, os",
            "first = r.Runners._have_one_guarded",
            "def once(self):",
            "    r.Runners._have_one_guarded = lambda self: os.nowhere",
            "    first(self)",
            "r.Runners._have_one_guarded = once",
        ),
    )
    assert host.call("install", {}).status == 201
    front = host.front
    os.kill(host.runner, signal.SIGKILL)
    gone(front)
    assert host.call("sleep", {"a": 1}).status == 200


def test_a_front_that_hangs_is_replaced(start_host: StartHost) -> None:
    """One that was stopped and never goes on is killed; the journal gives back what there was."""
    host = start_host("good", command=HURRIED)
    assert host.call("install", {}).status == 201
    front, runner = host.front, host.runner
    os.kill(front, signal.SIGSTOP)
    gone(front)
    gone(runner)
    assert host.call("sleep", {}).json == {"install": 1, "sleep": 1}


@pytest.mark.slow
def test_a_long_operation_is_no_hang(start_host: StartHost) -> None:
    """A front that serves one for longer than it may be silent stays."""
    host = start_host("waits", command=HURRIED)
    install = calling(host, "install", {})
    is_running(host)
    front = host.front
    time.sleep(5)
    tell(host, "go")
    assert install.result(10).status == 201
    assert host.front == front


@pytest.mark.slow
def test_a_pod_that_was_frozen_goes_on(start_host: StartHost) -> None:
    """All processes stop for longer than a front may be silent, and the operation is done."""
    host = start_host("waits", command=HURRIED)
    install = calling(host, "install", {})
    is_running(host)
    front, arbiter = host.front, host.arbiter
    for pid in (arbiter, front):
        os.kill(pid, signal.SIGSTOP)
    time.sleep(3)
    for pid in (arbiter, front):
        os.kill(pid, signal.SIGCONT)
    tell(host, "go")
    assert install.result(10).status == 201
    assert host.front == front


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Path]:
    """A state directory whose lock another front holds."""
    state = tmp_path / "held"
    state.mkdir(0o700)
    with (state / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield state


def test_the_wait_for_another_front_ends_at_the_deadline(start_host: StartHost, held: Path) -> None:
    """The last operation of a front that was replaced is waited for, but not for ever."""
    host = start_host("good", MODULE_STATE_DIR=held, MODULE_DEADLINE=0.5)
    reply = host.call("install", {})
    assert (reply.status, reply.text) == (
        400,
        "the host was reloaded, and its last operation has not ended yet\n",
    )
    assert given(host) == []


def test_the_wait_for_another_front_ends_with_the_client(start_host: StartHost, held: Path) -> None:
    """Who hangs up meanwhile is not called for, and the next one waits in its place."""
    host = start_host("good", MODULE_STATE_DIR=held)
    with Wire(host, post("/install", b'{"first": 1}')):
        wait_until(lambda: "install running" in host.health().json["message"], "it waits")
    install = calling(host, "install", {"second": 1})
    host.wait_for("call refused")
    fcntl.flock(os.open(held / "lock", os.O_RDWR), fcntl.LOCK_UN)  # not ours: it stays held
    assert not install.done()
    assert given(host) == []


def test_the_wait_for_another_front_ends_with_the_host(start_host: StartHost, held: Path) -> None:
    """A stop does not wait for it longer than for any operation."""
    host = start_host("good", MODULE_STATE_DIR=held, MODULE_GRACE=0.5)
    install = calling(host, "install", {})
    wait_until(lambda: "install running" in host.health().json["message"], "it waits")
    began = time.monotonic()
    assert host.stop() == 0
    assert time.monotonic() - began < 1 + PROMPT
    assert install.result(1).text == "install was cancelled: the host is stopping\n"


def test_what_the_other_front_did_last_is_read(start_host: StartHost, tmp_path: Path) -> None:
    """Once it has let go, the journal is what it has written last."""
    host = start_host("good")
    assert host.call("install", {}).status == 201
    host.process.send_signal(signal.SIGHUP)
    front = host.front
    gone(front)
    assert host.call("sleep", {}).json == {"install": 1, "sleep": 1}


@pytest.mark.slow
@pytest.mark.parametrize("fails", [False, True])
def test_a_hundred_megabytes_are_dropped_by_name(start_host: StartHost, fails: bool) -> None:
    """What is far beyond any annotation burdens neither front nor journal; the rest is kept."""
    host = start_host("leaves_an_abyss", **({"FAILS": 1} if fails else {}))
    reply = host.call("install", {})
    assert reply.status == 400
    assert fails or 'metadata["dump"]' in reply.text
    dropped = host.wait_for("metadata is too large for the journal")
    assert dropped["dropped"] == ["dump"]
    peak = Path(f"/proc/{host.front}/status").read_text().partition("VmHWM:")[2].split()[0]
    assert int(peak) << 10 < 100_000_000
    assert sum(file.stat().st_size for file in host.state.iterdir()) < 10_000_000
    assert host.call("uninstall", {}).status == 204
    assert given(host)[-1] == ("uninstall", {"install": 1, "name": "orders"})


def test_a_runner_that_cannot_read_its_config_is_replaced(start_host: StartHost) -> None:
    """A hook that took its process the means to read files fails one call, not all others."""
    host = start_host("uses_up_descriptors", config={"a": 1})
    assert host.call("install", {"greedy": True}).status == 201
    reply = host.call("sleep", {"install": 1})
    assert reply.status == 400
    assert "config.json cannot be read" in reply.text
    assert host.call("sleep", {"install": 1}).status == 200


@pytest.mark.slow
def test_a_body_is_read_in_linear_time(start_host: StartHost) -> None:
    """Four times as large a body takes the front's processor four times as long, not sixteen."""
    host = start_host("good", MODULE_MAX_BODY="100MiB")
    assert host.call("install", {}).status == 201

    def cost(mebibytes: int) -> float:
        front = host.front
        before = processor_time(front)
        assert host.request("POST", "/sleep", b"x" * (mebibytes << 20)).status == 400
        return processor_time(front) - before

    small = min(cost(16) for _ in range(3))
    assert min(cost(64) for _ in range(3)) < 8 * small + 0.1


def processor_time(pid: int) -> float:
    """Seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_an_uninstall_that_comes_while_the_host_stops_is_done(start_host: StartHost) -> None:
    """It cancels what runs and gets what time there is: nobody repeats it, and the pod goes."""
    host = start_host("waits")
    install = calling(host, "install", {})
    is_running(host)
    host.process.send_signal(signal.SIGTERM)
    wait_until(lambda: refused(host), "the host stops")
    uninstall = calling(host, "uninstall", {})
    assert install.result(10).text == "install was cancelled: uninstall was called\n"
    assert uninstall.result(10).status == 204
    assert host.process.wait(10) == 0
    assert given(host)[-1] == ("uninstall", {"install": 1})


def refused(host: Host) -> bool:
    """Whether other operations are told that the host stops."""
    return host.call("sleep", {}).text == "the host is stopping\n"


def test_an_uninstall_that_waits_when_the_host_stops_is_done(start_host: StartHost) -> None:
    """Behind an operation that does not stop, which is killed in time for it."""
    host = start_host("ignores_cancellation", MODULE_GRACE=1)
    install = calling(host, "install", {})
    is_running(host)
    uninstall = calling(host, "uninstall", {})
    host.process.send_signal(signal.SIGTERM)
    assert install.result(10).status == 400
    assert uninstall.result(10).status == 204
    assert host.process.wait(10) == 0


@pytest.mark.slow
@pytest.mark.parametrize("head_start", [-0.02, -0.005, 0.0, 0.005, 0.02])
def test_an_uninstall_at_the_edge_of_the_end_is_done_or_never_begun(
    start_host: StartHost, head_start: float
) -> None:
    """Sent around SIGTERM to an idle host: 204, or no connection; never the host's refusal."""
    host = start_host("good")
    install = host.call("install", {})
    assert install.status == 201
    if head_start < 0:
        host.process.send_signal(signal.SIGTERM)
    uninstall = calling(host, "uninstall", install.json)
    time.sleep(abs(head_start))
    if head_start >= 0:
        host.process.send_signal(signal.SIGTERM)
    assert host.process.wait(20) == 0
    if (error := uninstall.exception(10)) is None:
        assert (uninstall.result().status, uninstall.result().text) == (204, "")
    else:
        assert isinstance(error, ConnectionRefusedError | ConnectionResetError)


def test_an_uninstall_keeps_what_is_beyond_any_limit(start_host: StartHost) -> None:
    """Nobody stores it: a checkpoint in uninstall is taken, whatever install has left."""
    host = start_host("leaves_huge", MISBEHAVE_IN="install uninstall")
    install = host.call("install", {})
    assert install.status == 400
    assert "MODULE_MAX_METADATA" in install.text
    assert host.call("uninstall", {}).status == 204
    operation, metadata = given(host)[-1]
    assert operation == "uninstall"
    assert len(metadata["log"]) == 1 << 18
