"""``modulehost local run``: the whole life in one go."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from local.conftest import Local
from support.processes import wait_until

PLAIN = re.compile(r"\d\d:\d\d:\d\d|\d+\.\d+ s|\d+ ms")


def plain(text: str) -> list[str]:
    """The lines without times."""
    return PLAIN.sub("T", text).splitlines()


def kept(local: Local) -> Path:
    """The folder that a failed run has left."""
    return local.folder / ".modulehost" / "_shop"


def test_a_life_is_told_as_it_happens(local: Local) -> None:
    """A line a phase, the plugin's log under it, what changed in the metadata, a summary."""
    told = local.good("run", "-f", local.module("configured", config={"appName": "web"}))
    assert plain(told)[:8] == [
        "shop: the plugin configured",
        "",
        "installing",
        "  T info    plugin loaded package=test-configured version=1.0",
        "  T info    hook entered",
        '  + config.appName: "web"',
        "  + config.cpuShare: 0.5",
        "  + config.debug: false",
    ]
    table = plain(told)[-7:]
    assert [line.split() for line in table[:5]] == [
        ["OPERATION", "OUTCOME", "TIME", "METADATA"],
        ["install", "ok", "T", "+7"],
        ["sleep", "ok", "T", "unchanged"],
        ["resume", "ok", "T", "unchanged"],
        ["uninstall", "ok", "T"],
    ]
    assert table[-1] == "shop lived its whole life in T"
    assert local.hosts == []
    assert [path.name for path in (local.folder / ".modulehost").iterdir()] == [".gitignore"]


def test_values_come_from_files_and_options(local: Local) -> None:
    """The Module's own are the last to win; the file on disk stays as it is."""
    items = [
        {"name": "Name", "alias": "appName", "string": {}},
        {"name": "Replicas", "alias": "replicas", "integer": {}},
        {"name": "Debug", "alias": "debug", "boolean": {}},
    ]
    file = local.module("configured", config={"appName": "web", "replicas": 1}, items=items)
    before = file.read_text()
    values = local.folder / "values.yaml"
    values.write_text("replicas: 2\ndebug: true\n")
    told = local.good(
        "run", "-f", file, "--values", values, "--config", "appName=true", "replicas=3"
    )
    for line in ('+ config.appName: "true"', "+ config.replicas: 3", "+ config.debug: true"):
        assert line in told
    assert file.read_text() == before
    values.write_text("- 1\n")
    refused = local.bad("run", "-f", file, "--values", values, status=2)
    assert f"{values} has no values: write KEY: VALUE, a line each" in refused


@pytest.mark.slow
def test_variables_come_from_a_file(local: Local) -> None:
    """For the host and its plugin; a line that is none is named."""
    variables = local.folder / "variables"
    variables.write_text("# the log\nexport MODULE_LOG_LEVEL='error'\n\n")
    told = local.good("run", "-f", local.module("good"), "--env-file", variables)
    assert "plugin loaded" not in told
    variables.write_text("A=1\nnothing\n")
    refused = local.bad("run", "-f", local.module("good"), "--env-file", variables, status=2)
    assert f"{variables}, line 2: it is not KEY=VALUE" in refused


@pytest.mark.parametrize(
    ("operation", "phase", "called"),
    [
        ("install", "failed", ["install", "uninstall"]),
        ("sleep", "still sleeping", ["install", "sleep", "uninstall"]),
        ("resume", "still resuming", ["install", "sleep", "resume", "uninstall"]),
    ],
)
def test_the_first_failure_ends_it(
    local: Local, operation: str, phase: str, called: list[str]
) -> None:
    """The module is uninstalled all the same, what was not called is told, the folder is kept."""
    file = local.module("builds_things")
    (local.folder / "fault").write_text(f"{operation} fail")
    result = local("run", "-f", file)
    assert result.returncode == 1
    lines = plain(result.stdout)
    assert f"{phase} after T" in lines
    assert "gone after T" in lines
    assert lines[-1] == f"shop failed to {operation}"
    outcomes = dict(re.findall(r"^(\w+) +(ok|FAILED|not called)", result.stdout, re.MULTILINE))
    assert [one for one, outcome in outcomes.items() if outcome != "not called"] == called
    assert outcomes[operation] == "FAILED"
    assert "returned error: half-way through" in result.stdout
    assert f"what it had is kept in {kept(local).relative_to(local.folder)}" in result.stderr
    assert json.loads((kept(local) / "module.json").read_text())["events"]
    assert not list((local.folder / "things").iterdir())
    assert local.hosts == []
    if phase.startswith("still"):
        assert "in a cluster it is failed after 300 s, and can be deleted then" in lines


@pytest.mark.slow
def test_an_uninstall_that_fails_tells_how_to_repeat_it(local: Local) -> None:
    """The host is ended; what the plugin has made is not."""
    file = local.module("builds_things")
    (local.folder / "fault").write_text("uninstall fail")
    result = local("run", "-f", file)
    assert result.returncode == 1
    assert plain(result.stdout)[-1] == "shop failed to uninstall"
    assert "what it has made is still there: to uninstall it again, serve it with" in result.stderr
    assert local.hosts == []
    assert "shop lived its whole life" in local.good("run", "-f", file)
    assert not kept(local).exists()


@pytest.mark.slow
def test_a_plugin_that_cannot_be_used_says_what_to_do(local: Local) -> None:
    """As the answer to install has it."""
    result = local("run", "-f", local.module("misspelt_hook"))
    assert result.returncode == 1
    assert "returned error: plugin 'misspelt_hook' of test-misspelt-hook 1.0:" in result.stdout
    assert "there is no hook unistall; did you mean uninstall?" in result.stdout


@pytest.mark.slow
def test_a_traceback_stands_under_its_phase(local: Local) -> None:
    """Set in, line by line."""
    result = local("run", "-f", local.module("raises"), RAISES="ValueError")
    lines = plain(result.stdout)
    assert "    Traceback (most recent call last):" in lines
    assert "    ValueError: replicas is negative" in lines
    assert lines.index("failed after T") > lines.index("    ValueError: replicas is negative")


def test_a_config_that_is_refused_leaves_nothing(local: Local) -> None:
    """No host was started, so there is nothing to keep."""
    item = {"name": "Copies", "alias": "copies", "integer": {"max": 3}}
    file = local.module(config={"copies": 4}, items=[item])
    result = local("run", "-f", file, "--no-webhooks")
    assert result.returncode == 1
    assert "value 4 is greater than maximum 3" in result.stdout
    assert not kept(local).exists()


def test_ctrl_c_uninstalls_first(local: Local) -> None:
    """Whatever was running; the status is that of a command that was stopped."""
    command = local.start("run", "-f", local.module("waits"))
    wait_until(lambda: (local.folder / "misbehaving").exists(), "the hook runs")
    command.send_signal(signal.SIGINT)
    out, err = command.communicate(timeout=30)
    assert command.returncode == 130
    assert "stopped; the module is uninstalled first" in err
    assert re.search(r"^install +stopped$", out, re.MULTILINE)
    assert re.search(r"^uninstall +ok", out, re.MULTILINE)
    assert out.splitlines()[-1] == "shop was stopped"
    assert local.hosts == []


@pytest.mark.slow
def test_sigterm_ends_the_host(local: Local) -> None:
    """At once."""
    command = local.start("run", "-f", local.module("waits"))
    wait_until(lambda: (local.folder / "misbehaving").exists(), "the hook runs")
    command.terminate()
    command.communicate(timeout=30)
    assert command.returncode == 128 + signal.SIGTERM
    assert local.hosts == []


@pytest.mark.slow
def test_a_run_ends_the_host_of_one_that_was_killed(local: Local) -> None:
    """Which could not do it itself."""
    file = local.module("waits")
    command = local.start("run", "-f", file)
    wait_until(lambda: (local.folder / "misbehaving").exists(), "the hook runs")
    command.kill()
    command.communicate()
    [left] = local.hosts
    (local.folder / "go").touch()
    local.good("run", "-f", file)
    assert left not in local.hosts
    assert local.hosts == []


@pytest.mark.slow
def test_several_modules_live_one_after_the_other(local: Local) -> None:
    """Until one fails."""
    first, second = local.module(name="shop"), local.module(name="blog")
    both = local.folder / "both.yaml"
    both.write_text(f"{first.read_text()}\n---\n{second.read_text()}\n")
    told = local.good("run", "-f", both)
    assert re.findall(r"^(\w+) lived", told, re.MULTILINE) == ["shop", "blog"]


def on_a_terminal(local: Local, *arguments: object, **settings: str) -> str:
    """What the command shows there."""
    parent, child = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "modulehost", "local", *map(str, arguments)],
        cwd=local.folder,
        env=local.environ | {"TERM": "xterm-256color"} | settings,
        stdin=child,
        stdout=child,
        stderr=child,
    ):
        os.close(child)
        shown = b""
        while True:
            try:
                shown += os.read(parent, 65536)
            except OSError:  # nobody holds the other end any more
                break
    os.close(parent)
    return shown.decode()


def test_a_terminal_gets_colours(local: Local) -> None:
    """The phases, what is added and taken, and tables; as text it is the same."""
    local.environ.pop("NO_COLOR", None)
    file = local.module("builds_things")
    shown = on_a_terminal(local, "run", "-f", file)
    assert "\x1b[1minstalling\x1b[0m" in shown
    assert '\x1b[32m+ things[0]: "database"\x1b[0m' in shown
    assert "\x1b[31m- replicas.web: 3\x1b[0m" in shown
    assert "\x1b[32mok" in shown
    without = re.sub(r"\x1b\[[\d;]*m", "", shown)
    assert "shop lived its whole life in" in without
    on_a_terminal(local, "apply", "-f", file)
    assert re.search(r"\x1b\[32mready\s*\x1b\[0m", on_a_terminal(local, "list"))


@pytest.mark.slow
def test_no_color_is_respected(local: Local) -> None:
    """Then a terminal gets what a file gets."""
    shown = on_a_terminal(local, "run", "-f", local.module(), NO_COLOR="1")
    assert "\x1b" not in shown
    assert "shop lived its whole life in" in shown


@pytest.mark.slow
def test_a_file_gets_plain_text(local: Local) -> None:
    """Without anything that a terminal would obey."""
    assert "\x1b" not in local.good("run", "-f", local.module(), TERM="xterm-256color")


@pytest.mark.slow
def test_watching_it_lives_again_when_something_is_saved(local: Local) -> None:
    """The plugin as it is then; Ctrl-C between two lives ends it, and nothing is left."""
    process = local.start("run", "--watch", "-f", local.module("good"))
    assert process.stdout
    assert process.stderr
    lines = iter(process.stdout.readline, "")
    assert any("lived its whole life" in line for line in lines)
    plugin = local.site / "good.py"
    plugin.write_text(plugin.read_text() + "\nraise RuntimeError('saved')\n")
    assert any("RuntimeError: saved" in line for line in lines)
    assert any("failed to install" in line for line in lines)
    plugin.write_text(plugin.read_text().replace("raise RuntimeError('saved')", ""))
    assert any("lived its whole life" in line for line in lines)
    notes = iter(process.stderr.readline, "")
    for _ in range(3):  # the last life is over, too
        assert any("again when something is saved" in line for line in notes)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert local.hosts == []
