"""Settings: what is wrong is served as the reason, and only a port that cannot be had is fatal."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from support.host import Host, StartHost, free_port
from support.processes import tree
from support.wire import Wire, assert_failure, head, operations

WORKERS = "a module has one worker"

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
    "workers": ({"GUNICORN_CMD_ARGS": "--workers 3"}, f"--workers 3: {WORKERS}"),
    "no workers": ({"GUNICORN_CMD_ARGS": "-w 0"}, f"--workers 0: {WORKERS}"),
    "worker class": (
        {"GUNICORN_CMD_ARGS": "--worker-class sync"},
        "--worker-class sync: the host has",
    ),
    "no worker class": ({"GUNICORN_CMD_ARGS": "-k nonsense"}, "class uri 'nonsense' invalid"),
    "no argument": ({"GUNICORN_CMD_ARGS": "--nonsense"}, "unrecognized arguments: --nonsense"),
    "type": ({"GUNICORN_CMD_ARGS": "--threads many"}, "invalid int value: 'many'"),
    "no threads": ({"GUNICORN_CMD_ARGS": "--threads 0"}, "--threads takes a number above 0"),
    "quotes": ({"GUNICORN_CMD_ARGS": "--threads '8"}, "No closing quotation"),
    "no file": ({"GUNICORN_CMD_ARGS": "--config /no/such.py"}, "'/no/such.py' doesn't exist"),
    "preload": ({"GUNICORN_CMD_ARGS": "--preload"}, "--preload cannot be had"),
    "daemon": ({"GUNICORN_CMD_ARGS": "--daemon"}, "--daemon cannot be had"),
    "help": ({"GUNICORN_CMD_ARGS": "--help"}, "--help and --version cannot be had"),
    "check": ({"GUNICORN_CMD_ARGS": "--check-config"}, "--check-config cannot be had"),
    "pid file": ({"GUNICORN_CMD_ARGS": "--pid /no/such/pid"}, "/no/such doesn't exist"),
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
    """Ours and gunicorn's, in one line and in one event of the log."""
    host = start_host("good", MODULE_GRACE="x", MODULE_IDLE="y", GUNICORN_CMD_ARGS="--workers 2")
    reply = host.call("install", {"a": 1})
    assert_failure(reply, "MODULE_GRACE='x'", "MODULE_IDLE='y'", "GUNICORN_CMD_ARGS", "--workers 2")
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
    empty = dict.fromkeys(
        ("MODULE_DEADLINE", "MODULE_GRACE", "MODULE_IDLE", "GUNICORN_CMD_ARGS"), ""
    )
    assert start_host("good", **empty).call("install", {"a": 1}).status == 201


def test_there_is_one_worker_whatever_is_asked_for(start_host: StartHost) -> None:
    """``--workers 3`` is not only refused in words."""
    host = start_host("good", GUNICORN_CMD_ARGS="--workers 3")
    assert host.health().status == 503
    assert tree(host.keeper) == [host.keeper, host.arbiter, host.front]


def test_gunicorn_takes_its_other_settings(start_host: StartHost) -> None:
    """``--threads 8``: when a seventh client hangs one of the six before gives way."""
    host = start_host("good", GUNICORN_CMD_ARGS="--threads 8 --log-level info")
    assert host.health().status == 200
    assert "gunicorn.error" in {event.get("logger") for event in host.events()}
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(Wire(host, b"POST /inst")).socket for _ in range(6)]
        assert not select.select(slow, [], [], 0.5)[0]
        stack.enter_context(Wire(host, b"POST /inst"))
        assert len(select.select(slow, [], [], 5)[0]) == 1
        assert host.health().status == 200


def test_a_gunicorn_configuration_file_is_taken(start_host: StartHost, tmp_path: Path) -> None:
    """``--config`` in GUNICORN_CMD_ARGS, over our settings; it cannot change the rest."""
    path = tmp_path / "more.py"
    path.write_text("keepalive = 1\nunknown = 2\n")
    host = start_host("good", GUNICORN_CMD_ARGS=f"--config {path}")
    with Wire(host, head("GET", "/health")) as wire:
        assert wire.answer().status == 200
        assert wire.closed()


@pytest.mark.parametrize(
    ("text", "level", "reason"),
    [
        ("print('hello')\nraise LookupError('no licence')\n", "error", "LookupError: no licence"),
        ("print('hello')\nthreads = 'many'\n", "error", "'many'"),
        ("print('hello')\n", "info", None),
    ],
)
def test_what_a_gunicorn_configuration_file_prints_is_an_event(
    start_host: StartHost, tmp_path: Path, text: str, level: str, reason: str | None
) -> None:
    """Its traceback, too: each line of the log has the host's form."""
    path = tmp_path / "more.py"
    path.write_text(text)
    host = start_host("good", GUNICORN_CMD_ARGS=f"--config {path}")
    reply = host.call("install", {"a": 1})
    if reason is None:
        assert reply.status == 201
    else:
        assert_failure(reply, "GUNICORN_CMD_ARGS: ", reason)
    event = host.wait_for("GUNICORN_CMD_ARGS was read")
    assert event["level"] == level
    assert event["printed"].startswith("hello")
    assert host.stop() == 0
    assert host.events()  # all of them are JSON


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
