"""Asleep: one process throughout, and nothing is lost at any moment."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from native.conftest import Listener, StartListener
from support import native
from support.host import free_port
from support.processes import tree, wait_until


@pytest.fixture
def asleep(start: StartListener) -> Listener:
    """One that has become the stand-in, and itself again."""
    listener = start()
    listener.told()
    listener.fall_asleep()
    return listener


def test_a_connection_wakes_it(asleep: Listener) -> None:
    """In the same process, on the same socket, and what was sent is not lost."""
    with asleep.connect(b"hello") as client:
        first, second = asleep.told(2)
        asleep.tell("answer")
        assert client.recv(20) == b"answered"
    assert first == second
    assert asleep.ends() == 0


def test_a_silent_connection_does_not_wake_it(asleep: Listener) -> None:
    """The kernel keeps those that have sent nothing to itself."""
    with asleep.connect():
        time.sleep(0.3)
        assert asleep.is_asleep()
    assert len(asleep.told()) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_it_is_told_to(asleep: Listener, number: signal.Signals) -> None:
    """Exit status 0, and a line in the log in the form of all others."""
    assert asleep.ends(number) == 0
    [event] = asleep.events()
    assert [*event] == ["timestamp", "level", "event", "reason"]
    assert (event["level"], event["event"]) == ("info", "stopped")


def test_the_log_has_the_console_s_form_where_that_is_set(start: StartListener) -> None:
    """As all others have it then."""
    listener = start(MODULE_LOG_FORMAT="Console")
    listener.told()
    listener.fall_asleep()
    assert listener.ends(signal.SIGTERM) == 0
    assert listener.log.read_text()[8:] == " info    stopped Terminated\n"


def test_a_hang_up_is_nothing(asleep: Listener) -> None:
    """There is no gunicorn whose settings could be loaded again."""
    asleep.process.send_signal(signal.SIGHUP)
    time.sleep(0.1)
    assert asleep.is_asleep()
    assert asleep.ends(signal.SIGTERM) == 0


AT_A_TERMINAL = """
import os, pty, socket, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
print(pid, flush=True)
os.read(0, 1)  # until it is time to hang up: the end of this process closes the terminal
os.close(terminal)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def test_at_a_terminal_a_hang_up_ends_it(program: Path) -> None:
    """The terminal has gone, and with it whoever started the host."""
    with subprocess.Popen(
        [sys.executable, "-c", AT_A_TERMINAL, program, "/no/such/program"],
        env={**os.environ, **native.ENVIRON, "PORT": str(free_port())},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        pid = int(process.stdout.readline())
        wait_until(lambda: "poll" in Path(f"/proc/{pid}/wchan").read_text(), "it sleeps")
        told, _ = process.communicate("x", timeout=10)
    assert told == "0\n"


def test_orphans_are_reaped(start: StartListener) -> None:
    """Those that had ended before it slept, and those that end meanwhile; it never wakes for it."""
    listener = start()
    listener.told()
    listener.tell("orphans 20")
    wait_until(listener.is_asleep, "it is asleep")
    wait_until(lambda: tree(listener.process.pid) == [listener.process.pid], "they are gone")
    assert listener.is_asleep()
    with listener.connect(b"x"):
        assert listener.told(2)[1]["chld"] is True


def test_a_connection_and_a_signal_at_once(asleep: Listener) -> None:
    """Who has come is not dropped: the program is there again, and finds the signal waiting."""
    os.kill(asleep.process.pid, signal.SIGSTOP)
    with asleep.connect(b"x"):
        asleep.process.send_signal(signal.SIGTERM)
        os.kill(asleep.process.pid, signal.SIGCONT)
        assert asleep.told(2)[1]["pending"] == [signal.SIGTERM]


def test_a_client_that_resets_its_connection_is_survived(asleep: Listener) -> None:
    """It wakes the host for nothing."""
    with asleep.connect(b"x") as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert len(asleep.told(2)) == 2
    asleep.tell("take")
    wait_until(asleep.is_asleep, "it is asleep")
    assert asleep.ends(signal.SIGTERM) == 0


def test_signals_at_every_moment(start: StartListener) -> None:
    """Whenever it comes, in either program or between them, it ends with status 0, and at once."""
    for delay in itertools.islice(_delays(), 12):
        listener = start()
        listener.told()
        listener.tell("sleep")
        time.sleep(delay)
        assert listener.ends(signal.SIGTERM) == 0
        for name in ("told", "word"):
            (listener.folder / name).unlink(missing_ok=True)


def _delays() -> itertools.chain[float]:
    chance = random.Random(11)
    return itertools.chain([0.0], iter(lambda: chance.random() * 0.01, None))


@pytest.mark.slow
def test_connections_in_the_very_moment_of_exec(start: StartListener) -> None:
    """Two hundred times somebody comes while the one becomes the other; each is answered."""
    listener = start()
    chance = random.Random(3)
    for number in range(1, 101):
        listener.told(2 * number - 1)
        listener.tell("sleep")
        time.sleep(chance.random() * 0.006)
        with listener.connect(b"x") as first, listener.connect(b"y") as second:
            listener.told(2 * number)
            listener.tell("sleep")  # two wait already: it wakes at once
            assert first.send(b"z") == second.send(b"z") == 1
            listener.told(2 * number + 1)
            _take(listener)
    assert len(listener.told(201)) == 201


def _take(listener: Listener) -> None:
    """Accept what waits, as gunicorn would: the socket is the test's for a moment."""
    pidfd = os.pidfd_open(listener.process.pid)
    with contextlib.closing(socket.socket(fileno=_get_fd(pidfd, 3))) as ours:
        for _ in range(2):
            ours.accept()[0].close()
    os.close(pidfd)


def _get_fd(pidfd: int, number: int) -> int:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    found = libc.syscall(438, pidfd, number, 0)  # pidfd_getfd
    assert found >= 0, os.strerror(ctypes.get_errno())
    return int(found)
