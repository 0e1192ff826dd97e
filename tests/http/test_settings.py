"""Settings: what is wrong is served as the reason, and only a port that cannot be had is fatal."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from support.host import Host, StartHost, free_port
from support.processes import tree
from support.wire import assert_failure, head, operations

MISTAKES = {
    "deadline": (
        {"MODULE_DEADLINE": "soon"},
        "MODULE_DEADLINE='soon': it takes a number of seconds",
    ),
    "grace": ({"MODULE_GRACE": "-1"}, "MODULE_GRACE='-1': it takes a number of seconds above 0"),
    "idle": ({"MODULE_IDLE": "nan"}, "MODULE_IDLE='nan': it takes a number of seconds; 0: never"),
    "body": ({"MODULE_MAX_BODY": "1GB"}, "MODULE_MAX_BODY='1GB': it takes a number of bytes"),
    "level": (
        {"MODULE_LOG_LEVEL": "loud"},
        "MODULE_LOG_LEVEL='loud': it takes debug, info, warning",
    ),
    "format": ({"MODULE_LOG_FORMAT": "xml"}, "MODULE_LOG_FORMAT='xml': it takes json or console"),
}


@pytest.mark.parametrize(("settings", "reason"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_served_as_the_reason(
    start_host: StartHost, settings: dict[str, str], reason: str
) -> None:
    """400 to each call and 503 to a question for health, naming the variable; exit status 0."""
    host = start_host("good", **settings)
    [variable] = settings
    for operation in ("install", "sleep", "resume"):
        assert_failure(host.call(operation, {"a": 1}), variable, reason)
    health = host.health()
    assert health.status == 503
    assert variable in health.text
    assert host.request("HEAD", "/health").status == 503
    assert operations(host) == 0
    assert host.process.poll() is None


def test_all_mistakes_are_told_at_once(start_host: StartHost) -> None:
    """In one line and in one event of the log."""
    host = start_host("good", MODULE_GRACE="x", MODULE_IDLE="y")
    reply = host.call("install", {"a": 1})
    assert_failure(reply, "MODULE_GRACE='x'", "MODULE_IDLE='y'")
    health = host.health()
    assert (health.status, health.json["healthy"]) == (503, False)
    assert health.json["message"] == reply.text.rstrip()
    [event] = host.events("a setting is wrong")
    assert (event["level"], event["reason"]) == ("error", reply.text.rstrip())


def test_good_settings_count_beside_bad_ones(start_host: StartHost) -> None:
    """One that is wrong does not send the log and the state somewhere else."""
    host = start_host("good", MODULE_DEADLINE="soon", MODULE_LOG_LEVEL="error")
    assert_failure(host.call("install", {"a": 1}))
    assert {event["level"] for event in host.events() if event["event"] != "listening"} == {"error"}
    assert host.state.is_dir()


def test_an_empty_variable_is_none(start_host: StartHost) -> None:
    """As Dockerfiles and manifests leave them."""
    empty = dict.fromkeys(("MODULE_DEADLINE", "MODULE_GRACE", "MODULE_IDLE"), "")
    assert start_host("good", **empty).call("install", {"a": 1}).status == 201


@pytest.mark.parametrize("arguments", ["--workers 3", "--threads many", "--preload", "--help"])
def test_there_is_nothing_in_gunicorn_to_be_set(start_host: StartHost, arguments: str) -> None:
    """Its own variable, right or wrong, changes nothing: the host needs gunicorn as it is."""
    host = start_host("good", GUNICORN_CMD_ARGS=arguments)
    assert host.call("install", {"a": 1}).status == 201
    assert tree(host.keeper) == [host.keeper, host.arbiter, host.front, host.runner]


def serve(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """``modulehost serve`` that must end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "modulehost", "serve", *arguments],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )


def assert_cannot_listen(result: subprocess.CompletedProcess[str], *words: str) -> None:
    """Exit status 2, one line on stderr and nothing else."""
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("modulehost: ")
    assert result.stderr.index("\n") == len(result.stderr) - 1
    for word in words:
        assert word in result.stderr


def test_a_port_that_is_taken_is_fatal() -> None:
    """Nobody could be answered: exit status 2 and one line."""
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as taken:
        port = str(taken.getsockname()[1])
        assert_cannot_listen(serve(PORT=port), f"cannot listen on port {port}", "in use")
        assert_cannot_listen(serve("--port", port, PORT="8080"), f"cannot listen on port {port}")


@pytest.mark.parametrize(
    "port", ["0", "65536", "-1", "80 80", "http", "8080.0", "\uff18\uff10", "0x50"]
)
def test_a_port_that_is_none_is_fatal(port: str) -> None:
    """The line names the variable or the argument, the value, and what it takes."""
    takes = "it takes a port from 1 to 65535"
    assert_cannot_listen(serve(PORT=port), f"PORT={port!r}: {takes}")
    assert_cannot_listen(serve("--port", port), f"--port={port!r}: {takes}")


def test_an_argument_that_is_none_is_fatal() -> None:
    """And it is named."""
    assert_cannot_listen(serve("--prot", "80", PORT="8080"), "unknown argument --prot", "--help")
    assert_cannot_listen(serve("--port"), "--port=''")


@pytest.mark.parametrize("form", ["--port {}", "--port={}", "-p {}"])
@pytest.mark.parametrize("other", ["{}", "nonsense"])
def test_the_argument_wins_over_the_variable(tmp_path: Path, form: str, other: str) -> None:
    """``--port`` is where the host listens, whatever PORT says."""
    port, unused = free_port(), free_port()
    arguments = form.format(port).split()
    host = Host(
        tmp_path,
        "good",
        command=("-m", "modulehost", "serve", *arguments),
        PORT=other.format(unused),
    )
    host.port = port
    with host:
        assert host.call("install", {"a": 1}).status == 201
        assert host.events("listening")[0]["port"] == port
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", unused), 5)


def test_both_families_of_addresses_are_served(start_host: StartHost) -> None:
    """A cluster may have IPv4, IPv6 or both."""
    host = start_host("good")
    for address in ("127.0.0.1", "::1"):
        with socket.create_connection((address, host.port), 10) as sock:
            sock.sendall(head("GET", "/health"))
            assert sock.recv(15) == b"HTTP/1.1 200 OK"
