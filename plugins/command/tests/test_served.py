"""Modules of programs behind a real host, over HTTP, as the operator calls them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.faults import calling, gone
from support.host import Host
from support.processes import wait_until

EXAMPLES = Path(__file__).parents[1] / "examples"
OPERATIONS = ("install", "uninstall", "sleep", "resume")

Serve = Callable[..., Host]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Serve the programs of a folder; at the end the host must stop cleanly."""
    with contextlib.ExitStack() as stack:

        def start(folder: Path, config: dict[str, Any] | None = None, **settings: Any) -> Host:
            home = tmp_path / "host"
            home.mkdir()
            temporary = home / "tmp"
            temporary.mkdir()
            host = Host(
                home, config=config, MODULE_PLUGIN="command", COMMAND_DIR=folder,
                TMPDIR=temporary, **settings,
            )  # fmt: skip
            return stack.enter_context(host)

        yield start


def write(folder: Path, **programs: str) -> Path:
    """A folder of shell scripts; those that are not given do nothing."""
    folder.mkdir(exist_ok=True)
    for name, script in {**dict.fromkeys(OPERATIONS, "exit 0"), **programs}.items():
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
    return folder


def left_behind(host: Host) -> list[str]:
    """What is in the host's folder for temporary files."""
    return [path.name for path in (host.folder / "tmp").iterdir()]


def test_the_example_in_shell_lives_a_whole_life(serve: Serve) -> None:
    """Its shards are there, packed, there again, and gone; each answer is its metadata."""
    host = serve(EXAMPLES / "shell", config={"name": "diary", "shards": 2})
    root = host.folder / "tmp" / "modulehost-shell"

    def files() -> list[str]:
        return sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())

    assert host.health().json["healthy"] is True
    reply = host.call("install", {})
    assert (reply.status, reply.json) == (201, {"installed": "diary"})
    assert files() == ["diary/1", "diary/2"]
    (root / "diary" / "1").write_text("dear diary")
    for _ in range(2):  # a repeated call changes nothing
        assert host.call("sleep", reply.json).json == {"installed": "diary"}
        assert files() == ["diary.tar"]
    assert host.call("install", reply.json).status == 201
    assert files() == ["diary.tar"]
    for _ in range(2):
        assert host.call("resume", reply.json).json == {"installed": "diary"}
        assert files() == ["diary/1", "diary/2"]
    assert (root / "diary" / "1").read_text() == "dear diary"
    assert host.call("uninstall", reply.json).status == 204
    assert files() == []
    assert host.call("uninstall", {}).status == 204
    assert host.call("sleep", {}).text == (
        "installed, in the metadata, names no folder: install the module first\n"
    )
    assert "diary has 2 shards" in {event["event"] for event in host.events()}
    assert left_behind(host) == ["modulehost-shell"]


def test_the_example_in_shell_is_not_led_out_of_its_folder(serve: Serve) -> None:
    """Metadata comes over the network and may say anything."""
    host = serve(EXAMPLES / "shell")
    victim = host.folder / "victim"
    victim.mkdir()
    for name in ("../../victim", "..", "-rf", "a/../../victim", "", "A"):
        reply = host.call("uninstall", {"installed": name})
        assert reply.status == (400 if name else 204)
    assert victim.exists()


@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler to build the example in C with")
def test_the_example_in_c_lives_a_whole_life(serve: Serve, tmp_path: Path) -> None:
    """Its file takes room, none, room again, and is gone."""
    source = shutil.copytree(EXAMPLES / "c", tmp_path / "source")
    folder = tmp_path / "module"
    subprocess.run(["make", "-s", "-C", source, f"FOLDER={folder}", "CC=cc"], check=True)
    space = tmp_path / "space"
    host = serve(folder, config={"name": "scratch", "kibibytes": 64}, SPACE_DIR=space)

    def reserved() -> int:
        return (space / "scratch").stat().st_size

    reply = host.call("install", {})
    assert (reply.status, reply.json) == (201, {"bytes": 65536, "file": "scratch"})
    assert reserved() == 65536
    for operation, size in (("sleep", 0), ("sleep", 0), ("install", 0), ("resume", 65536)):
        answer = host.call(operation, reply.json)
        assert answer.json == reply.json
        assert reserved() == size
    assert host.call("uninstall", reply.json).status == 204
    assert list(space.iterdir()) == []
    assert host.call("sleep", {"file": "../x"}).text.startswith("file, in the metadata, names no")
    space.rmdir()
    space.touch()
    host.wait_for("plugin loaded", 2)  # the last call has failed
    health = host.health()
    assert health.status == 503
    assert health.json["message"] == f"{space} is no folder that can be written to; set SPACE_DIR"


def test_a_failed_install_is_answered_and_uninstall_knows_what_it_left(
    serve: Serve, tmp_path: Path
) -> None:
    """The operator sends the old metadata; the program is given what the failed one had noted."""
    folder = write(
        tmp_path / "module",
        install="""echo '{"created": "db-1"}' > "$MODULE_METADATA_FILE"
            echo working; echo 'quota exceeded: 3 of 3 databases' >&2; exit 1""",
        uninstall='echo "$MODULE_METADATA_created" > "$TEST_FOLDER/removed"',
    )
    host = serve(folder)
    reply = host.call("install", {})
    assert (reply.status, reply.text) == (400, "quota exceeded: 3 of 3 databases\n")
    assert host.call("uninstall", {}).status == 204
    assert (host.folder / "removed").read_text() == "db-1\n"
    assert {"working", "quota exceeded: 3 of 3 databases"} <= {e["event"] for e in host.events()}


def test_what_a_program_noted_survives_the_death_of_the_process_that_ran_it(
    serve: Serve, tmp_path: Path
) -> None:
    """The runner is killed in the middle; the journal has the metadata, nobody is left running."""
    folder = write(
        tmp_path / "module",
        install="""echo '{"created": "db-1"}' > "$MODULE_METADATA_FILE"
            echo $$ > "$TEST_FOLDER/pid"; sleep 60""",
        uninstall='echo "$MODULE_METADATA_created" > "$TEST_FOLDER/removed"',
    )
    host = serve(folder)
    answer = calling(host, "install", {})
    wait_until(lambda: b"db-1" in _journal(host), "the journal has it")
    os.kill(host.runner, signal.SIGKILL)
    assert "the plugin's process died during install: SIGKILL" in answer.result(30).text
    gone(int((host.folder / "pid").read_text()))
    assert host.call("uninstall", {}).status == 204
    assert (host.folder / "removed").read_text() == "db-1\n"


def _journal(host: Host) -> bytes:
    return host.journal().left().text


def test_an_operation_past_its_deadline_is_ended_with_its_group(
    serve: Serve, tmp_path: Path
) -> None:
    """SIGTERM first: what the program notes then is in the journal."""
    folder = write(
        tmp_path / "module",
        install="""trap 'echo "{\\"half\\": 1}" > "$MODULE_METADATA_FILE"; exit 1' TERM
            sleep 60 & echo $! > "$TEST_FOLDER/pid"; wait""",
        uninstall='echo "$MODULE_METADATA_half" > "$TEST_FOLDER/removed"',
    )
    host = serve(folder, MODULE_DEADLINE=1, MODULE_GRACE=2)
    reply = host.call("install", {})
    assert (reply.status, reply.text) == (400, "install did not finish within 1 s\n")
    gone(int((host.folder / "pid").read_text()))
    assert host.call("uninstall", {}).status == 204
    assert (host.folder / "removed").read_text() == "1\n"
    assert left_behind(host) == []


def test_the_deadlines_of_the_file_are_the_hosts(serve: Serve, tmp_path: Path) -> None:
    """Each operation's, in seconds; the program is told how many it has."""
    folder = write(
        tmp_path / "module",
        install='echo "$MODULE_DEADLINE_SECONDS" > "$TEST_FOLDER/told"',
        sleep="sleep 60",
    )
    (folder / "module.toml").write_text("deadlines = { install = 77, sleep = 0.5 }\n")
    host = serve(folder, MODULE_GRACE=1)
    assert host.call("install", {}).status == 201
    assert (host.folder / "told").read_text() in ("77\n", "76\n")
    assert host.call("sleep", {}).text == "sleep did not finish within 0.5 s\n"


def test_progress_is_what_health_says_meanwhile(serve: Serve, tmp_path: Path) -> None:
    """And the program for the health is not in the way of the operation."""
    folder = write(
        tmp_path / "module",
        install="""echo '2/3 replicas ready' > "$MODULE_PROGRESS_FILE"
            while [ ! -e "$TEST_FOLDER/go" ]; do sleep 0.02; done""",
    )
    host = serve(folder)
    answer = calling(host, "install", {})
    wait_until(
        lambda: host.health().json["message"].endswith(" s: 2/3 replicas ready"), "the progress"
    )
    (host.folder / "go").touch()
    assert answer.result(30).status == 201


def test_the_program_health_is_the_health(serve: Serve, tmp_path: Path) -> None:
    """Its last line on stderr is the message; no state of the host is poisoned by a failure."""
    folder = write(
        tmp_path / "module",
        health='[ -e "$TEST_FOLDER/well" ] || { echo "replica 2 is down" >&2; exit 1; }',
    )
    host = serve(folder)
    reply = host.health()
    assert (reply.status, reply.json["message"]) == (503, "replica 2 is down")
    runner = host.runner
    (host.folder / "well").touch()
    assert host.health().status == 200
    assert host.runner == runner


def test_a_program_that_is_missing_is_told_by_health_and_install(
    serve: Serve, tmp_path: Path
) -> None:
    """An image that was built wrong; it can be deleted all the same."""
    folder = write(tmp_path / "module")
    (folder / "uninstall").unlink()
    host = serve(folder)
    reply = host.health()
    assert reply.status == 503
    assert reply.json["message"].startswith(f"{folder}/uninstall is missing; ")
    assert host.call("install", {}).text.startswith(f"{folder}/uninstall is missing; ")
    assert host.call("uninstall", {}).status == 204


def test_a_wrong_declaration_is_told_by_every_answer(serve: Serve, tmp_path: Path) -> None:
    """What the file is, what is wrong with it; and a module that never was can be deleted."""
    folder = write(tmp_path / "module")
    (folder / "module.toml").write_text('[config.a]\ntype = "int"\n')
    host = serve(folder)
    reply = host.call("install", {})
    assert reply.status == 400
    assert reply.text.startswith(
        f"plugin 'command' of modulehost-command 0.1.0: {folder}/module.toml: config.a: its type"
        " must be one of string, integer, "
    )
    assert host.health().json["message"] == reply.text.rstrip("\n")
    assert host.call("uninstall", {}).status == 204
    (folder / "module.toml").unlink()
    assert host.call("install", {}).status == 201


def test_a_wrong_config_never_reaches_a_program(serve: Serve, tmp_path: Path) -> None:
    """Every problem is told, by the name of the setting."""
    folder = write(tmp_path / "module", install='touch "$TEST_FOLDER/ran"')
    (folder / "module.toml").write_text(
        '[config.replicas]\ntype = "integer"\nmax = 9\n[config.name]\ntype = "string"\n'
    )
    host = serve(folder, config={"replicas": 10})
    assert host.call("install", {}).text == (
        "config: replicas: it takes an integer of at most 9, not this integer; name: missing; it"
        " takes text\n"
    )
    assert not (host.folder / "ran").exists()


def test_a_secret_is_in_no_log_line_and_no_reason(serve: Serve, tmp_path: Path) -> None:
    """Though the program prints it."""
    folder = write(
        tmp_path / "module",
        install='echo "token $MODULE_CONFIG_token"; echo "bad $MODULE_CONFIG_token" >&2; exit 1',
    )
    (folder / "module.toml").write_text('[config.token]\ntype = "string"\nsecret = true\n')
    host = serve(folder, config={"token": "hunter2-very-secret"})
    assert host.call("install", {}).text == "bad ***\n"
    assert {"token ***", "bad ***"} <= {event["event"] for event in host.events()}
    assert "hunter2" not in json.dumps(host.events())


def test_commands_in_the_config_make_a_module(serve: Serve, tmp_path: Path) -> None:
    """Without a folder: the image as it is, and four commands."""
    home = tmp_path / "made"
    config = {
        "installCommand": f'mkdir -p {home}; echo \'{{"made": true}}\' > "$MODULE_METADATA_FILE"',
        "uninstallCommand": f"rmdir {home}",
        "sleepCommand": f"ls {home}\nls /nowhere",
        "resumeCommand": "true",
    }
    host = serve(tmp_path / "nowhere", config=config)
    assert host.health().status == 200
    reply = host.call("install", {})
    assert (reply.status, reply.json) == (201, {"made": True})
    assert home.is_dir()
    reply = host.call("sleep", {"made": True})
    assert reply.status == 400
    assert "/nowhere" in reply.text
    assert host.call("uninstall", {"made": True}).status == 204
    assert not home.exists()


def test_a_client_that_hangs_up_cancels_the_program(serve: Serve, tmp_path: Path) -> None:
    """And nothing of it is left running."""
    folder = write(
        tmp_path / "module",
        install='echo $$ > "$TEST_FOLDER/pid"; touch "$TEST_FOLDER/up"; sleep 60',
    )
    host = serve(folder)
    with host.connect() as connection:
        connection.sendall(b"POST /install HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
        wait_until((host.folder / "up").exists, "the program runs")
    gone(int((host.folder / "pid").read_text()))
    assert host.wait_for("operation finished")["reason"] == (
        "install was cancelled: the client hung up"
    )
