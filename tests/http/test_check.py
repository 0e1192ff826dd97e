"""``modulehost check``: the good pass, and the bad fail the check of the rule that they break."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from support import site
from support.host import MARK, StartHost
from support.modules import BAD, Good, OldProtocol, serving
from support.processes import command, wait_until, with_variable

from modulehost.plugin.discovery import Found
from modulehost.testing.checks import Checks
from modulehost.testing.contract import CHECKS

pytestmark = pytest.mark.slow


SHELL = Path(__file__).parents[2] / "plugins" / "command" / "examples" / "shell"


def check(*arguments: str, **environ: object) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("MODULE", "GUNICORN"))}
    return subprocess.run(
        [sys.executable, "-m", "modulehost", "check", *arguments],
        env={**inherited, **{name: str(value) for name, value in environ.items()}},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def failed(checks: Checks) -> dict[str, str]:
    """The checks that fail, with their reasons."""
    with checks:
        results = [checks.run(one) for one in checks.selected]
    return {result.check.id: result.reason for result in results if result.outcome == "failed"}


@pytest.mark.parametrize("module", [Good, OldProtocol])
def test_a_good_server_in_whatever_language_passes_all(module: type[Good]) -> None:
    """Also one that ends each connection with its answer."""
    with serving(module) as url:
        checks = Checks.of_url(url, timeout=10, may_change=True)
        checks.target.idle = 0.2
        assert failed(checks) == {}


@pytest.mark.parametrize("name", BAD)
def test_a_server_that_breaks_one_rule_fails_that_check_alone(name: str) -> None:
    """And the reason is one line."""
    with serving(BAD[name]) as url:
        timeout = 1 if name == "waiting-connections" else 10
        checks = Checks.of_url(url, timeout=timeout, may_change=True)
        checks.target.idle = 2.0 if name == "idle-connection" else 0.2
        reasons = failed(checks)
    assert list(reasons) == [name], reasons
    assert reasons[name].isprintable()


def test_there_is_a_bad_server_for_each_check_of_the_wire() -> None:
    """So each of those checks is known to fail when it should."""
    assert set(BAD) == {one.id for one in CHECKS if one.scope != "plugin"}


HABITS = {
    "counts": ["install-twice"],
    "forgets": ["sleep-twice"],
    "wakes once": ["resume-twice"],
    "once": ["uninstall-twice", "uninstall-cut"],
    "loses": ["sleep-resume"],
    "trusts": ["uninstall-fresh"],
    "awake only": ["uninstall-asleep"],
    "looks late": ["uninstall-cut", "killed"],
    "makes first": ["killed"],
    "dawdles": ["cancellation"],
    "ignores": ["cancellation"],
    "blocks": ["deadline"],
    "clears": ["metadata"],
    "unwell": ["health-awake"],
}
PLUGIN_CHECKS = {one.id for one in CHECKS if one.scope == "plugin"}


def habit_checks(tmp_path: Path, habit: str) -> Checks:
    """The checks of the plugin with that habit."""
    site.install(tmp_path / "site", "habits")
    environ = {
        "PYTHONPATH": tmp_path / "site",
        "TEST_FOLDER": tmp_path,
        "HABIT": habit,
        "MODULE_GRACE": 0.3,
    }
    found = Found("habits", "habits:Manager", "test-habits", "1.0", "")
    thing = tmp_path / "thing"
    return Checks.of_plugin(
        found,
        tmp_path / "hosts",
        settings=environ,
        leftovers=lambda _: [thing.name] if thing.exists() else [],
    )


@pytest.mark.parametrize(("habit", "expected"), HABITS.items(), ids=HABITS)
def test_a_plugin_with_a_bad_habit_fails_the_check_for_it(
    tmp_path: Path, habit: str, expected: list[str]
) -> None:
    """While one that is as good otherwise passes it, see below."""
    checks = habit_checks(tmp_path, habit)
    checks.select(only=expected)
    reasons = failed(checks)
    assert list(reasons) == expected
    assert all(reason.isprintable() for reason in reasons.values())


@pytest.mark.parametrize("habit", ["", "prints"])
def test_a_plugin_without_bad_habits_passes(tmp_path: Path, habit: str) -> None:
    """What it prints is none: that goes into the log."""
    checks = habit_checks(tmp_path, habit)
    checks.select(only=PLUGIN_CHECKS if not habit else ["output", "sleep-resume"])
    assert failed(checks) == {}


def test_what_is_made_before_it_is_noted_is_left_behind_and_named(tmp_path: Path) -> None:
    """The operation, where it was killed, what is left, and the cure."""
    checks = habit_checks(tmp_path, "makes first")
    checks.select(only=["killed"])
    assert failed(checks)["killed"] == (
        "install was killed right before its checkpoint 1 of 1 was kept; uninstall then leaves"
        " behind thing: note what you are about to make before you make it: with ctx.creating(),"
        " or in the metadata, and ctx.checkpoint()"
    )


def test_leftovers_are_asked_of_a_function(tmp_path: Path) -> None:
    """It is found in the current folder, and given the config as hooks are."""
    finder = f"def find(config):\n    return [str(config['replicas']) + ' of {tmp_path}']\n"
    (tmp_path / "left.py").write_text(finder)
    site.install(tmp_path, "configured")
    given = ("--config", "appName=shop", "replicas=2", "--only", "killed")
    done = check("configured", *given, "--leftovers", "left:find", PYTHONPATH=tmp_path)
    assert done.returncode == 1
    assert f"after a whole life there is still 2 of {tmp_path}" in done.stdout


def test_what_closes_the_hosts_descriptors_is_told_so(tmp_path: Path) -> None:
    """The plugin takes from its process the connection to the host."""
    site.install(tmp_path / "site", "closes_all_fds")
    found = Found("closes_all_fds", "closes_all_fds:Manager", "test-closes-all-fds", "1.0", "")
    environ = {"PYTHONPATH": tmp_path / "site", "TEST_FOLDER": tmp_path}
    checks = Checks.of_plugin(found, tmp_path / "hosts", settings=environ)
    checks.select(only=["install"])
    assert "closed its connection" in failed(checks)["install"]


def test_the_example_passes_all_checks(tmp_path: Path) -> None:
    """A line each in plain text, and as JUnit XML; nothing is left of its module."""
    junit = tmp_path / "junit.xml"
    done = check("example", "--junit", str(junit), EXAMPLE_DIR=tmp_path / "example")
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    assert [line.split()[1] for line in lines if line.startswith(("ok ", "skipped "))] == [
        one.id for one in CHECKS
    ]
    assert lines[-1].startswith("example keeps the contract in ")
    assert "\x1b" not in done.stdout
    suite = ET.parse(junit).getroot()[0]
    assert suite.get("tests") == str(len(CHECKS))
    assert suite.get("failures") == "0"
    assert not [path for path in (tmp_path / "example").rglob("*") if path.is_file()]


def test_modules_of_programs_pass_all_checks(tmp_path: Path) -> None:
    """The example in shell, behind the plugin ``command``; the results as JSON."""
    done = check("command", "--json", COMMAND_DIR=SHELL, SHARDS_DIR=tmp_path / "shards")
    report = json.loads(done.stdout)
    bad = [row for row in report["checks"] if row["outcome"] == "failed"]
    assert (done.returncode, report["passed"], bad) == (0, True, [])
    assert [row["id"] for row in report["checks"]] == [one.id for one in CHECKS]


def test_our_host_at_a_url_passes_the_checks_of_the_wire(start_host: StartHost) -> None:
    """Only with ``--yes`` are operations called."""
    host = start_host("good")
    url = f"http://127.0.0.1:{host.port}"
    done = check(url, "--skip", "idle-connection")
    assert done.returncode == 0, done.stdout
    assert "add --yes" in done.stderr
    assert host.events("operation started") == []
    done = check(url, "--yes", "--skip", "idle-connection")
    assert done.returncode == 0, done.stdout
    assert "add --yes" not in done.stderr
    assert host.events("operation started")


def test_a_failure_tells_the_rule_the_reason_and_the_source(tmp_path: Path) -> None:
    """In the table, in JSON and in the XML; the exit status is 1."""
    junit = tmp_path / "junit.xml"
    with serving(BAD["install"]) as url:
        arguments = (url, "--yes", "--only", "install", "sleep")
        done = check(*arguments, "--junit", str(junit))
        as_json = check(*arguments, "--json")
    assert (done.returncode, as_json.returncode) == (1, 1)
    assert done.stdout.splitlines()[:4] == [
        "FAILED  install               POST /install is answered 201",
        "          it is answered 200 {}, not 201",
        "          source: the document Custom Module Development, Required Endpoints",
        "ok      sleep                 POST /sleep is answered 200",
    ]
    [first, second] = json.loads(as_json.stdout)["checks"]
    assert (first["outcome"], first["reason"]) == ("failed", "it is answered 200 {}, not 201")
    assert second["outcome"] == "passed"
    failure = ET.parse(junit).getroot().find(".//failure")
    assert failure is not None
    assert failure.get("message") == "it is answered 200 {}, not 201"


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_a_terminal_gets_colours_unless_it_wants_none(no_color: str, coloured: bool) -> None:
    """NO_COLOR is respected; long reasons are wrapped there."""
    ours, theirs = os.openpty()
    with serving(Good) as url:
        done = subprocess.run(
            [sys.executable, "-m", "modulehost", "check", url, "--only", "health"],
            env={**os.environ, "NO_COLOR": no_color, "TERM": "xterm"},
            stdout=theirs,
            timeout=60,
            check=False,
        )
    os.close(theirs)
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        printed = terminal.read(65536).decode()
    assert done.returncode == 0
    assert "GET /health is answered 200" in printed
    assert ("\x1b[32m" in printed) is coloured


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_of_a_check_that_is_stopped(tmp_path: Path, number: int) -> None:
    """Neither the hosts nor the process in which an install is cancelled, nor their folder."""
    site.install(tmp_path / "site", "habits")
    mark = uuid.uuid4().hex
    environ = {
        **os.environ,
        "PYTHONPATH": str(tmp_path / "site"),
        "TEST_FOLDER": str(tmp_path),
        "HABIT": "ignores",
        "TMPDIR": str(tmp_path),
        MARK: mark,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "modulehost", "check", "habits", "--only", "loads", "uninstall-cut"],
        env=environ,
        stdout=subprocess.DEVNULL,
    )
    wait_until(
        lambda: any("testing.cuts" in command(pid) for pid in with_variable(MARK, mark)),
        "an install is being cancelled",
    )
    process.send_signal(number)
    assert process.wait(30) == 128 + number
    assert with_variable(MARK, mark) == []
    assert list(tmp_path.glob("modulehost-check-*")) == []


def test_no_check_at_all_is_a_failure() -> None:
    """What was not looked at is not known to be good."""
    with serving(Good) as url:
        done = check(url, "--only", "install")
    assert done.returncode == 1
    assert "no check was made" in done.stderr
    assert "was not checked" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["nobody"], 2, "nobody: no such plugin; installed: "),
        (["https://localhost:1"], 2, "the operator speaks plain http"),
        (["http://localhost:1/api"], 2, "the endpoints are at the root"),
        (["http://127.0.0.1:1"], 1, "no connection: Connection refused; is the server running?"),
        (["example", "--only", "instal"], 2, "no such check: instal; there are loads, health, "),
        (["example", "--config", "replicas"], 2, "'replicas' is not KEY=VALUE"),
        (["example", "--leftovers", "os.walk"], 2, "os.walk names no function: it takes MODULE:"),
        (["example", "--leftovers", "os:nowhere"], 2, "os:nowhere cannot be used: module 'os' has"),
        (["example", "--leftovers", "os:name"], 2, "os:name is no function"),
        (["http://127.0.0.1:1", "--leftovers", "a:b"], 2, "--leftovers is for an installed plugin"),
    ],
)
def test_a_mistake_is_answered_with_the_cure(arguments: list[str], status: int, words: str) -> None:
    """In one line, without a traceback."""
    done = check(*arguments)
    assert done.returncode == status
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_module_that_needs_config_is_told_so(tmp_path: Path) -> None:
    """The first failure has the reason, the rest is skipped; with the config all is well."""
    site.install(tmp_path, "configured")
    done = check("configured", "--only", "install", "sleep", PYTHONPATH=tmp_path)
    assert done.returncode == 1
    assert "config: appName: missing" in done.stdout
    assert "--config KEY=VALUE" in done.stderr
    given = ("--config", "appName=shop", "replicas=2", "--only", "install", "config-defaults")
    done = check("configured", *given, PYTHONPATH=tmp_path)
    assert done.returncode == 0, done.stdout


def test_a_plugin_that_cannot_be_loaded_fails_once(tmp_path: Path) -> None:
    """The first check tells why; whatever needs the plugin is skipped."""
    site.install(tmp_path, "misspelt_hook")
    done = check("misspelt_hook", "--json", "--skip", "idle-connection", PYTHONPATH=tmp_path)
    rows = json.loads(done.stdout)["checks"]
    [row] = [row for row in rows if row["outcome"] == "failed"]
    assert row["id"] == "loads"
    assert "did you mean" in row["reason"]
