"""Listening: as the keeper would, before the keeper is there."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from pathlib import Path

import pytest
from native.conftest import Listener, StartListener
from support.host import free_port
from support.processes import wait_until

from modulehost.shared.names import DEFER_ACCEPT

STOPS = [signal.SIGHUP, signal.SIGINT, signal.SIGTERM]


def test_the_socket_is_handed_over_as_systemd_would(start: StartListener) -> None:
    """At descriptor 3, with our options, and nothing else; the process is the same."""
    listener = start()
    [told] = listener.told()
    assert told["pid"] == listener.process.pid
    assert told["ours"] is True
    assert told["listens"].pop("defer") >= DEFER_ACCEPT
    expected = {"port": listener.port, "family": "AF_INET6", "accepts": 1, "blocking": False}
    assert told["listens"] == expected
    assert told["listener"].endswith("modulehost-listen")
    assert told["descriptors"] == [0, 1, 2, 3]
    assert told["chld"] is True


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_both_families_reach_it(start: StartListener, address: str) -> None:
    """One socket for IPv4 and IPv6."""
    listener = start()
    listener.told()
    listener.tell("answer")
    with socket.create_connection((address, listener.port), 10) as client:
        client.sendall(b"x")
        assert client.recv(20) == b"answered"


@pytest.mark.parametrize(("text", "port"), [(" {}\n", None), ("0{}", None), ("", 8080)])
def test_the_port_is_read_as_the_keeper_reads_it(
    start: StartListener, text: str, port: int | None
) -> None:
    """White space around it and zeros before it; unset is 8080, which may be taken here."""
    number = free_port()
    listener = start(PORT=text.format(number))
    [told] = listener.told()
    if port is None:
        assert told["listens"]["port"] == number
    else:
        assert told["listens"] is None or told["listens"]["port"] == port


@pytest.mark.parametrize(
    "text", ["0", "65536", "99999999999999999999", "-1", "+1", "80.0", "8 0", "x", "\u0663"]
)
def test_what_is_no_port_is_left_to_the_program(start: StartListener, text: str) -> None:
    """Without a socket it finds out by itself, and says so in its own words."""
    [told] = start(PORT=text).told()
    assert (told["listens"], told["listener"]) == (None, None)


def test_a_port_that_is_taken_is_left_to_the_program(start: StartListener) -> None:
    """The same."""
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as other:
        [told] = start(PORT=str(other.getsockname()[1])).told()
    assert told["listens"] is None


def test_what_another_host_has_left_in_the_environment_is_not_taken(start: StartListener) -> None:
    """As when a plugin starts a host of its own."""
    listener = start(LISTEN_PID="1", LISTEN_FDS="1", MODULEHOST_STARTED="1.5")
    [told] = listener.told()
    assert (told["started"], told["listens"]["port"]) == (None, listener.port)


@pytest.mark.parametrize("number", STOPS)
def test_a_signal_waits_until_the_program_handles_it(
    start: StartListener, number: signal.Signals
) -> None:
    """From the first moment: it is blocked, and pending when it has come."""
    listener = start()
    [told] = listener.told()
    assert set(STOPS) <= set(told["blocked"])
    listener.process.send_signal(number)
    listener.tell("sleep")
    if number == signal.SIGHUP:  # not at a terminal: there is nothing to load again
        wait_until(listener.is_asleep, "it is asleep")
        number = signal.SIGTERM
        listener.process.send_signal(number)
    assert listener.ends() == 0
    assert listener.events()[-1]["event"] == "stopped"


def test_many_wait_before_anybody_accepts(start: StartListener) -> None:
    """Early clients by the thousand are connected, not refused."""
    listener = start()
    listener.told()
    with contextlib.ExitStack() as stack:
        for _ in range(900):
            stack.enter_context(listener.connect(b"x"))
        listener.tell("sleep")
        assert len(listener.told(2)) == 2


def test_without_a_program_it_says_how_it_is_used(start: StartListener, program: Path) -> None:
    """Exit status 2, one line."""
    done = os.spawnv(os.P_WAIT, program, [str(program)])
    assert done == 2


@pytest.mark.parametrize("port", [None, "x"])
def test_a_program_that_cannot_be_run(start: StartListener, port: str | None) -> None:
    """With a port it stays and answers; without one nobody could be answered: exit status 2."""
    environ = {} if port is None else {"PORT": port}
    listener = start("/no/such/program", **environ)
    if port:
        assert listener.ends() == 2
        assert listener.log.read_text() == "/no/such/program: No such file or directory\n"
    else:
        wait_until(lambda: listener.log.read_text(), "it tells")
        [event] = listener.events()
        assert event["event"] == "the keeper cannot be run"
        assert event["reason"] == "No such file or directory"
        assert listener.ends(signal.SIGTERM) == 0


def test_sleeping_costs_no_time(start: StartListener) -> None:
    """Nothing is done until somebody comes: no wake-up, no processor time."""
    listener = start()
    listener.told()
    listener.fall_asleep()
    before = _work(listener)
    time.sleep(0.5)
    assert _work(listener) == before


def _work(listener: Listener) -> list[str]:
    status = Path(f"/proc/{listener.process.pid}/status").read_text().splitlines()
    return [line for line in status if "ctxt_switches" in line]
