"""``modulehost serve --reload``: what is saved is served, and the host goes on."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest
from support import site
from support.faults import PROMPT, calling, prompt_health, tell, wait_for_file
from support.host import Host
from support.interpreter import run
from support.processes import wait_until

RELOADING = ("-m", "modulehost", "serve", "--reload")

NAMED = """
import beast

{more}

class Manager(beast.Manager):
    def _operate(self, ctx, metadata):
        metadata["by"] = {by}
"""

HANGS = "import time, beast; beast.tell('importing'); time.sleep(100)"


def save(host: Host, by: str, more: str = "") -> None:
    """The plugin's only file, in a new version."""
    (host.site / "named.py").write_text(NAMED.format(by=repr(by), more=more))


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host, not started yet, whose plugin is one module and tells its version."""
    host = Host(tmp_path, command=RELOADING, MODULE_PLUGIN="named", MODULE_IDLE=0.2)
    site.install(host.site, "beast", "base")
    site.write_metadata(host.site, "test-named", "named", "named")
    save(host, "first")
    (tmp_path / "named.py").touch()  # a plugin is not looked for in the working folder
    return host


def test_a_change_takes_effect_and_restarts_the_plugin_s_process_alone(host: Host) -> None:
    """The next call is the new code's; the metadata and the host's processes are what they were."""
    with host:
        assert host.call("install", {}).json == {"by": "first"}
        wait_until(lambda: host.journal().delivered, "the answer is known to have arrived")
        others, runner, journal = (host.arbiter, host.front), host.runner, host.journal()
        save(host, "second")
        assert host.wait_for("plugin reloaded")["plugin"] == "named"
        [event] = host.events("the plugin has changed")
        assert event["files"] == str(host.site / "named.py")
        assert host.journal() == journal
        assert host.call("sleep", {"by": "first"}).json == {"by": "second"}
        assert (host.arbiter, host.front) == others
        assert host.runner != runner
        assert len(host.events("plugin loaded")) == 1
        assert len(host.events("plugin reloaded")) == 1


def test_a_save_just_before_a_call_counts_for_it(host: Host) -> None:
    """Whoever saves and calls at once is not answered by the old code."""
    with host:
        for number in range(5):
            save(host, str(number))
            assert host.call("install", {}).json == {"by": str(number)}
            save(host, f"{number}!")
            assert host.health().status == 200
            assert host.call("sleep", {}).json == {"by": f"{number}!"}


@pytest.mark.parametrize("watched", [True, False])
def test_nobody_need_call(host: Host, watched: bool) -> None:
    """A change is seen with the package watchfiles and without."""
    if not watched:
        (host.site / "watchfiles.py").write_text("raise ImportError\n")
    with host:
        host.wait_for("plugin loaded")
        save(host, "second")
        host.wait_for("plugin reloaded")
        assert host.call("install", {}).json == {"by": "second"}


def test_any_file_of_a_package_counts(host: Host) -> None:
    """Also one deep inside, a new one, and data; what Python and editors make does not."""
    package = host.site / "named"
    (package / "deep").mkdir(parents=True)
    (host.site / "named.py").unlink()
    (package / "deep" / "words.py").write_text("import pathlib\nBY = 'first'\n")
    code = NAMED.format(by="words.BY + data.read_text()", more="{more}")
    load = "import pathlib\nfrom named.deep import words\ndata = pathlib.Path(__file__ + '.txt')"
    (package / "__init__.py").write_text(code.format(more=load))
    (package / "__init__.py.txt").write_text("!")
    with host:
        assert host.call("install", {}).json == {"by": "first!"}
        for name in (".words.py.swp", "words.py~", "__pycache__"):
            (package / "deep" / name).mkdir()
            (package / "deep" / name / "x").touch()
        (package / "deep" / "words.py").write_text("BY = 'second'\n")
        host.wait_for("plugin reloaded")
        assert host.call("sleep", {}).json == {"by": "second!"}
        (package / "__init__.py.txt").write_text("?")
        host.wait_for("plugin reloaded", 2)
        assert host.call("sleep", {}).json == {"by": "second?"}
        (package / "deep" / "more.py").touch()
        host.wait_for("plugin reloaded", 3)
        shutil.rmtree(package)
        save(host, "third")
        host.wait_for("plugin reloaded", 4)
        assert host.call("sleep", {}).json == {"by": "third"}
        files = [event["files"] for event in host.events("the plugin has changed")]
        assert files[:3] == [
            str(package / "deep" / "words.py"),
            str(package / "__init__.py.txt"),
            str(package / "deep" / "more.py"),
        ]


def test_a_second_module_of_the_package_counts(host: Host) -> None:
    """As the package's metadata lists it."""
    (host.site / "test_named-1.0.dist-info" / "top_level.txt").write_text("named\nwords\n")
    words = host.site / "words.py"
    words.write_text("BY = 'first'\n")
    os.utime(words, ns=(0, 10**18))
    host.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    (host.site / "named.py").write_text(NAMED.format(by="words.BY", more="import words"))
    with host:
        assert host.call("install", {}).json == {"by": "first"}
        words.write_text("BY = 'other'\n")
        os.utime(words, ns=(0, 10**18 + 1))  # as long, and within a second: Python sees no change
        host.wait_for("plugin reloaded")
        assert host.call("sleep", {}).json == {"by": "other"}


def test_an_error_is_mended_by_saving_once_more(host: Host) -> None:
    """Meanwhile health and calls say what is wrong; nobody need call for it to be tried again."""
    with host:
        assert host.call("install", {}).status == 201
        front = host.front
        save(host, "second", "def broken(:")
        reason = host.wait_for("the plugin cannot be used")["reason"]
        assert "importing named failed: SyntaxError: invalid syntax (named.py, line 4)" in reason
        reply = prompt_health(host)
        assert (reply.status, reply.json["message"]) == (503, reason)
        reply = host.call("sleep", {"by": "first"})
        assert (reply.status, reply.text) == (400, f"{reason}\n")
        save(host, "third")
        host.wait_for("plugin reloaded")
        assert prompt_health(host).status == 200
        assert host.call("sleep", {"by": "first"}).json == {"by": "third"}
        assert host.front == front


def test_an_import_that_hangs_is_mended_too(host: Host) -> None:
    """The call that waits for the plugin gets the new code's answer."""
    save(host, "first", HANGS)
    with host:
        wait_for_file(host, "importing")
        install = calling(host, "install", {})
        wait_until(lambda: "install running" in host.health().json["message"], "install waits")
        save(host, "second")
        assert install.result(10).json == {"by": "second"}
        assert host.events("the plugin cannot be used") == []


def test_a_running_operation_ends_first(host: Host) -> None:
    """By the old code; whoever waits for a turn meanwhile gets the new one's answer."""
    wait = "import time\nwhile not beast.told('go'): time.sleep(0.01)".replace("\n", "\n        ")
    (host.site / "named.py").write_text(
        NAMED.format(by=f"'first'\n        beast.tell('misbehaving')\n        {wait}", more="")
    )
    with host:
        install = calling(host, "install", {})
        wait_for_file(host, "misbehaving")
        runner = host.runner
        save(host, "second")
        assert host.wait_for("the plugin has changed")["waits_for"] == "install"
        sleep = calling(host, "sleep", {})
        assert "install running" in prompt_health(host).json["message"]
        assert host.runner == runner
        tell(host, "go")
        assert install.result(PROMPT).json == {"by": "first"}
        assert sleep.result(10).json == {"by": "second"}
        assert host.call("resume", {}).json == {"by": "second"}


def test_many_saves_are_one_change(host: Host) -> None:
    """The plugin is loaded again when nothing has changed for a moment."""
    with host:
        host.wait_for("plugin loaded")
        ends = time.monotonic() + 1
        number = 0
        while time.monotonic() < ends:
            number += 1
            save(host, str(number))
        host.wait_for("plugin reloaded")
        assert host.call("install", {}).json == {"by": str(number)}
        save(host, "last")
        host.wait_for("plugin reloaded", 2)
        assert len(host.events("the plugin has changed")) == 2


def test_a_plugin_that_is_installed_later_is_served(host: Host) -> None:
    """And one whose entry point is another one from now on."""
    metadata = host.site / "test_named-1.0.dist-info"
    metadata.rename(host.folder / "later")
    with host:
        assert "no such plugin" in host.wait_for("the plugin cannot be used")["reason"]
        (host.folder / "later").rename(metadata)
        host.wait_for("plugin reloaded")
        assert host.call("install", {}).json == {"by": "first"}
        (host.site / "others.py").write_text(NAMED.format(by="'others'", more=""))
        (metadata / "entry_points.txt").write_text("[modulehost.managers]\nnamed=others:Manager\n")
        host.wait_for("plugin reloaded", 2)
        assert host.call("sleep", {}).json == {"by": "others"}


def test_it_never_sleeps(host: Host) -> None:
    """Whatever MODULE_IDLE says: asleep, nobody would see a change."""
    with host:
        assert host.health().status == 200
        time.sleep(1)  # the time itself is what this is about
        assert not host.is_asleep()
        assert host.events("asleep") == []


def test_the_port_may_be_given_beside_it() -> None:
    """Before and after; what is wrong with the port is told as ever."""
    for words in (("--reload", "--port", "what"), ("-p=what", "--reload")):
        done = run("-m", "modulehost", "serve", *words)
        assert done.returncode == 2
        assert "'what': it takes a port from 1 to 65535" in done.stderr
