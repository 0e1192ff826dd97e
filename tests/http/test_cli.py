"""The command ``modulehost``, but for what ``serve`` does once it runs."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import uuid
from pathlib import Path
from typing import Any

import pytest
from support.cli import HOOKS, add, mistake, run
from support.host import Host, StartHost, free_port
from support.processes import wait_until, with_variable

import modulehost
from modulehost.shared.settings import SETTINGS

GOOD = f"from modulehost import hookimpl\n\nclass Manager:{HOOKS}"


HALF = b"HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\n{}"


def call(host: Host, *arguments: str) -> subprocess.CompletedProcess[str]:
    """``modulehost call`` as a person inside the host's pod would type it."""
    return run("call", *arguments, PORT=host.port, MODULE_STATE_DIR=host.state)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for PYTHONPATH that holds the plugin ``good``."""
    add(tmp_path, "good", GOOD)
    return tmp_path


def rows(result: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    """The rows that ``modulehost plugins --json`` has printed, by name."""
    return {row["name"]: row for row in json.loads(result.stdout)}


def test_the_version_is_that_of_the_package() -> None:
    """``--version`` prints name and version."""
    result = run("--version")
    assert (result.returncode, result.stdout) == (0, f"modulehost {modulehost.__version__}\n")


@pytest.mark.parametrize("arguments", [("--help",), ("serve", "--help"), ("serve", "-h")])
def test_help_lists_every_setting(arguments: tuple[str, ...]) -> None:
    """Each variable stands on a line with its default, followed by its reason."""
    result = run(*arguments)
    assert (result.returncode, result.stderr) == (0, "")
    for setting in SETTINGS:
        assert f"\n  {setting.variable} " in result.stdout
        words = " ".join(result.stdout.split())
        assert f"{setting.variable} {setting.default or '-'} {setting.reason}" in words
    assert max(map(len, result.stdout.splitlines())) <= 100


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((), "COMMAND"),
        (("bogus",), "bogus"),
        (("--bogus", "plugins"), "--bogus"),
        (("plugins", "--bogus"), "--bogus"),
        (("plugins", "--timeout", "0"), "--timeout"),
        (("plugins", "example"), "example"),
        (("call",), "operation"),
        (("call", "bogus"), "bogus"),
        (("call", "install", "--bogus"), "--bogus"),
        (("call", "health", "--data", "{}"), "--data"),
        (("call", "health", "--port", "x"), "PORT='x'"),
        (("serve", "--bogus"), "--bogus"),
        (("serve", "--port", "x"), "--port='x'"),
        (("serve", "--port"), "--port=''"),
    ],
)
def test_arguments_that_mean_nothing_are_named(arguments: tuple[str, ...], named: str) -> None:
    """The exit status is 2, and the last line on standard error says which argument it is."""
    assert named in mistake(*arguments)


def test_plugins_prints_an_aligned_table(folder: Path) -> None:
    """A line a plugin under the heads of the columns, the selected one marked."""
    result = run("plugins", PYTHONPATH=folder, MODULE_PLUGIN="good")
    assert (result.returncode, result.stderr) == (0, "")
    head, *lines = result.stdout.splitlines()
    assert head.split() == ["NAME", "PACKAGE", "VERSION", "SUMMARY"]
    [good] = [line for line in lines if line.startswith("*")]
    [other] = [line for line in lines if "modulehost-example" in line]
    for column, text in (("NAME", "good"), ("PACKAGE", "test-good"), ("VERSION", "1.0")):
        assert good[head.index(column) :].split()[0] == text
    assert good[head.index("SUMMARY") :] == "For tests"
    assert other[head.index("NAME") :].startswith("example ")
    assert other[: head.index("NAME")].strip() == ""


def test_plugins_prints_json(folder: Path) -> None:
    """With --json a list with an object for each plugin."""
    result = run("plugins", "--json", PYTHONPATH=folder, MODULE_PLUGIN="good")
    assert (result.returncode, result.stderr) == (0, "")
    found = rows(result)
    assert found["good"] == {
        "name": "good",
        "package": "test-good",
        "version": "1.0",
        "summary": "For tests",
        "selected": True,
        "problem": None,
    }
    assert (found["example"]["selected"], found["example"]["problem"]) == (False, None)


def test_a_broken_plugin_is_told_below_its_row(folder: Path) -> None:
    """The reason stands under the plugin; the exit status is that of the selected one."""
    add(folder, "bad", "raise RuntimeError('no licence')")
    result = run("plugins", PYTHONPATH=folder, MODULE_PLUGIN="good")
    assert result.returncode == 0
    lines = result.stdout.splitlines()
    [row] = [number for number, line in enumerate(lines) if line.startswith("   bad ")]
    assert lines[row + 1] == (
        "   cannot be used: plugin 'bad' of test-bad 1.0: importing bad failed: RuntimeError: no"
        " licence (bad.py, line 1)"
    )
    assert result.stdout.count("cannot be used") == 1
    assert run("plugins", PYTHONPATH=folder, MODULE_PLUGIN="bad").returncode == 1


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("import os; os._exit(0)", "its process died while it was loaded: exit status 0"),
        ("import os; os._exit(3)", "its process died while it was loaded: exit status 3"),
        ("import os; os.kill(os.getpid(), 11)", "its process died while it was loaded: SIGSEGV"),
        ("import os; os.kill(0, 15)", "its process died while it was loaded: SIGTERM"),
        ("import os; os.closerange(0, 99)", "its process died while it was loaded: exit status 1"),
        ("import sys; sys.exit(4)", "importing bad failed: SystemExit: 4"),
        ("raise KeyboardInterrupt", "importing bad failed: KeyboardInterrupt"),
        ("import time; time.sleep(60)", "it did not load within 1 s; make its import faster"),
        (
            "import signal, time\nfor n in range(1, 32):\n"
            "    try: signal.signal(n, signal.SIG_IGN)\n    except OSError: pass\n"
            "time.sleep(60)",
            "it did not load within 1 s; make its import faster",
        ),
        ("Manager = None", "it is no plugin: it has none of the hooks"),
        ("", "its entry point names bad:Manager, but bad has no Manager"),
        ("def", "importing bad failed: SyntaxError"),
    ],
)
def test_no_plugin_breaks_the_list_of_plugins(folder: Path, source: str, problem: str) -> None:
    """Whatever a plugin does while it is imported, it is told, and the others are listed."""
    add(folder, "bad", source)
    timeout = "1" if "did not load" in problem else "30"
    result = run("plugins", "--json", "--timeout", timeout, PYTHONPATH=folder, MODULE_PLUGIN="good")
    assert (result.returncode, result.stderr) == (0, "")
    found = rows(result)
    assert found["good"]["problem"] is None
    assert found["bad"]["problem"].startswith("plugin 'bad' of test-bad 1.0: ")
    assert problem in found["bad"]["problem"]


def test_what_a_plugin_prints_stays_out_of_the_list(folder: Path) -> None:
    """A plugin that writes to standard output and error, and leaves a thread, is usable."""
    chatty = "import sys, threading, time\nprint('x' * 1000000)\nsys.stderr.write('noise')\n"
    chatty += "threading.Thread(target=time.sleep, args=(60,)).start()\n"
    add(folder, "chatty", chatty + GOOD)
    result = run("plugins", "--json", PYTHONPATH=folder, MODULE_PLUGIN="chatty")
    assert (result.returncode, result.stderr) == (0, "")
    assert rows(result)["chatty"]["problem"] is None


def test_what_a_plugin_starts_while_it_is_imported_ends_with_the_list(folder: Path) -> None:
    """A child in a session of its own, holding all descriptors open, is gone."""
    daemon = """
    import subprocess
    subprocess.Popen(["sleep", "60"], start_new_session=True, close_fds=False)
    """
    add(folder, "daemon", textwrap.dedent(daemon) + GOOD)
    mark = uuid.uuid4().hex
    result = run("plugins", PYTHONPATH=folder, MODULE_PLUGIN="daemon", TEST_MARK=mark)
    assert (result.returncode, result.stderr) == (0, "")
    assert with_variable("TEST_MARK", mark) == []


def test_a_plugin_that_hangs_ends_with_the_command(folder: Path) -> None:
    """Ctrl-C ends the command at once with status 130, without a traceback or a process."""
    started = folder / "started"
    add(folder, "hangs", f"open({str(started)!r}, 'w').close(); import time; time.sleep(60)")
    mark = uuid.uuid4().hex
    environ = {**os.environ, "PYTHONPATH": str(folder), "TEST_MARK": mark}
    process = subprocess.Popen(
        [sys.executable, "-m", "modulehost", "plugins"],
        env=environ,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        wait_until(started.exists, "the plugin is being imported")
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=10)
    assert process.returncode == 130
    assert b"Traceback" not in stderr
    assert with_variable("TEST_MARK", mark) == []


def test_plugins_says_when_none_is_selected(folder: Path) -> None:
    """Of several plugins MODULE_PLUGIN must name one; the list is printed all the same."""
    result = run("plugins", PYTHONPATH=folder)
    assert result.returncode == 1
    assert result.stderr.startswith("modulehost: several plugins are installed; set MODULE_PLUGIN")
    assert "good (test-good)" in result.stderr
    assert "test-good" in result.stdout
    assert "*" not in result.stdout


def test_plugins_says_when_an_unknown_one_is_selected(folder: Path) -> None:
    """A name that no plugin has is told with the names that there are, for --json too."""
    result = run("plugins", "--json", PYTHONPATH=folder, MODULE_PLUGIN="godo")
    assert result.returncode == 1
    assert result.stderr.startswith("modulehost: MODULE_PLUGIN=godo: no such plugin; installed: ")
    assert not any(row["selected"] for row in rows(result).values())


def test_plugins_minds_no_other_setting(folder: Path) -> None:
    """A wrong PORT or deadline says nothing about the plugins."""
    result = run("plugins", PYTHONPATH=folder, MODULE_PLUGIN=" good ", PORT="x", MODULE_IDLE="x")
    assert (result.returncode, result.stderr) == (0, "")


def test_call_carries_a_module_through_its_life(start_host: StartHost) -> None:
    """Without --data each operation is sent what the last one answered."""
    host = start_host("good")
    left: dict[str, int] = {}
    for operation, status in (("install", 201), ("sleep", 200), ("resume", 200)):
        left[operation] = 1
        result = call(host, operation)
        first, _, body = result.stdout.partition("\n")
        assert (result.returncode, result.stderr, first.split()[0]) == (0, "", str(status))
        assert json.loads(body) == left
    result = call(host, "uninstall")
    assert (result.returncode, result.stdout.split()[0]) == (0, "204")
    assert len(result.stdout.splitlines()) == 1


def test_call_sends_the_data_that_it_is_given(start_host: StartHost) -> None:
    """With --data the journal is not looked at, and bad data is for the host to refuse."""
    host = start_host("good")
    assert call(host, "install").returncode == 0
    result = call(host, "sleep", "--data", '{"install": 6}')
    assert json.loads(result.stdout.partition("\n")[2]) == {"install": 6, "sleep": 1}
    result = call(host, "sleep", "--data", "[]")
    assert (result.returncode, result.stderr) == (1, "")
    first, reason = result.stdout.splitlines()
    assert first.split()[0] == "400"
    assert reason == "the body is an array, not a JSON object"


def test_call_asks_for_the_health(start_host: StartHost) -> None:
    """``call health`` prints what GET /health answers."""
    host = start_host("good")
    result = call(host, "health")
    first, _, body = result.stdout.partition("\n")
    assert (result.returncode, first.split()[0]) == (0, "200")
    assert json.loads(body)["healthy"] is True


def test_call_fails_when_the_module_is_not_well(start_host: StartHost) -> None:
    """A wrong setting of the host is in its answer; the command itself does not mind."""
    host = start_host("good", MODULE_GRACE="soon")
    result = run("call", "health", PORT=host.port, MODULE_STATE_DIR=host.state, MODULE_GRACE="soon")
    assert (result.returncode, result.stderr, result.stdout.split()[0]) == (1, "", "503")
    assert "MODULE_GRACE='soon'" in result.stdout


def test_a_failed_uninstall_is_repeated_with_what_it_has_left(start_host: StartHost) -> None:
    """Once the operator has gone, a person in the pod finishes what uninstall had begun."""
    host = start_host("leaves_resources")
    installed = host.call("install", {}).json
    assert host.call("uninstall", installed).text == "1 left\n"
    result = call(host, "uninstall")
    assert (result.returncode, result.stdout.split()[0]) == (0, "204")


def test_an_outcome_that_is_no_json_can_be_uninstalled(start_host: StartHost) -> None:
    """An install that left NaN was refused; ``call uninstall`` gives the plugin all of it."""
    host = start_host("leaves_resources")
    assert host.call("install", {"nan": True}).status == 400
    result = call(host, "uninstall")
    assert (result.returncode, result.stdout.splitlines()[1]) == (1, "1 left")
    assert call(host, "uninstall").stdout.split()[0] == "204"


def test_uninstall_gets_what_the_operation_before_it_finishes(start_host: StartHost) -> None:
    """``call uninstall`` cancels a running install and removes what that one adds at the last."""
    host = start_host("leaves_resources")
    installing = threading.Thread(target=host.call, args=("install", {"wait": True}))
    installing.start()
    host.wait_for("progress")
    result = call(host, "uninstall")
    installing.join()
    assert (result.returncode, result.stdout.splitlines()[1]) == (1, "1 left")


def test_call_says_when_nobody_answers() -> None:
    """One line on standard error, nothing on standard output, exit status 1."""
    port = free_port()
    for operation in ("health", "install"):
        result = run("call", operation, "--port", str(port))
        assert (result.returncode, result.stdout) == (1, "")
        assert result.stderr == f"modulehost: no answer on port {port}: Connection refused\n"


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", HALF])
def test_call_says_when_something_else_answers(answer: bytes) -> None:
    """What is no HTTP, or breaks off, is told in one line."""

    def serve() -> None:
        connection = listener.accept()[0]
        with connection:
            connection.recv(65536)
            connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        server = threading.Thread(target=serve)
        server.start()
        result = run("call", "install", "--data", "{}", "--port", str(port))
        server.join()
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert f"port {port}" in result.stderr


def test_call_sends_nothing_when_it_cannot_read_the_journal(start_host: StartHost) -> None:
    """Where the host could not keep a journal on disk, the person must say what to send."""
    host = start_host("good", MODULE_STATE_DIR="/dev/null/state")
    result = run("call", "uninstall", PORT=host.port, MODULE_STATE_DIR="/dev/null/state")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("modulehost: the journal is kept in memory only: ")
    assert result.stderr.endswith("say what to send with --data\n")
    assert host.events("operation started") == []
    arguments = ("call", "uninstall", "--data", "{}")
    assert run(*arguments, PORT=host.port, MODULE_STATE_DIR="/dev/null/state").returncode == 0


@pytest.mark.parametrize(
    "words", [("check", "good"), ("completion", "bash"), ("plugins", "--names")]
)
def test_whoever_reads_may_stop(folder: Path, words: tuple[str, ...]) -> None:
    """As ``head`` does, even before the first line: no traceback, and no complaint at the end."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "modulehost", *words]
    environ = os.environ | {"PYTHONPATH": str(folder)}
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, env=environ, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


def test_a_variable_that_is_no_setting_is_told(folder: Path, start_host: StartHost) -> None:
    """By the commands and in the log of the host, which takes no notice of it."""
    words = "MODULE_IDEL is no setting; did you mean MODULE_IDLE?"
    for command in (("plugins", "--json"), ("check", "good", "--only", "loads")):
        result = run(*command, PYTHONPATH=folder, MODULE_IDEL=3, MODULE_PLUGIN="good")
        assert (result.returncode, result.stderr) == (0, f"modulehost: {words}\n")
    host = start_host("good", MODULE_IDEL=3)
    assert host.wait_for("a variable is no setting")["reason"] == words
    assert host.call("install", {}).status == 201
