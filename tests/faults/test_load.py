"""Plugins that cannot be found, loaded or configured."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from support import site
from support.faults import PROMPT, calling, given, gone, prompt_health, tell, wait_for_file
from support.host import Host, StartHost
from support.processes import wait_until

UNLOADABLE = {
    "raises_on_import": "importing raises_on_import failed: RuntimeError: the licence has expired"
    " (raises_on_import.py, line 6)",
    "imports_the_missing": (
        "importing imports_the_missing failed: no module named surely_not_installed"
        " (imports_the_missing.py, line 4); add the"
        " package that has it to the dependencies of test-imports-the-missing"
    ),
    "syntax_error": (
        "importing syntax_error failed: SyntaxError: invalid syntax (syntax_error.py, line 4)"
    ),
    "exits_on_import": (
        "importing exits_on_import failed: SystemExit: 3 (exits_on_import.py, line 8)"
    ),
    "misspelt_hook": "misspelt_hook:Manager: there is no hook unistall; did you mean uninstall?",
    "async_hook": (
        "async_hook:Manager: install is async, which would never run; make it a plain def"
    ),
    "generator_hook": (
        "generator_hook:Manager: install is a generator (it has a yield), which would never run;"
        " make it a plain def"
    ),
    "missing_hook": (
        "missing_hook:Manager: the hook resume is missing; all of install, uninstall, sleep,"
        " resume are required"
    ),
    "undecorated_hook": (
        "undecorated_hook:Manager: resume has no decorator; put @hookimpl above it"
    ),
    "wrong_argument": (
        "wrong_argument:Manager: install has an argument dry_run; a hook may have ctx, metadata;"
        " resume gives metadata a default, so it is never filled; take it away"
    ),
    "no_hooks": (
        "no_hooks:Manager: it is no plugin: it has none of the hooks install, uninstall, sleep,"
        " resume"
    ),
    "needs_arguments": (
        "needs_arguments:Manager() failed: TypeError: Manager.__init__() missing 1 required"
        " positional argument: 'name'; the manager is made without arguments"
    ),
    "bad_schema": (
        "bad_schema:Manager: config item 'nested' is none of the six types of a Forkspacer"
        " config: str, int, float, bool, Literal or Enum of texts, list of those; permissions is"
        " not a tuple of 'workspace' and 'controller'; deadlines is not a dict from operation to"
        " seconds, like {'install': 1800}"
    ),
}


def refuses(host: Host, reason: str) -> None:
    """Calls are answered with the reason, health is 503 with it, and nothing is called."""
    reply = host.call("install", {})
    assert (reply.status, reply.text) == (400, f"{reason}\n")
    reply = prompt_health(host)
    assert (reply.status, reply.json["healthy"], reply.json["message"]) == (503, False, reason)
    assert host.call("uninstall", {"left": "over"}).status == 400
    reply = host.call("uninstall", {})
    assert (reply.status, reply.body) == (204, b"")
    event = host.wait_for("uninstall with nothing to clean up")
    assert (event["level"], event["reason"]) == ("warning", reason)
    assert given(host) == []
    assert not (host.folder / "ran").exists()


@pytest.mark.parametrize("plugin", UNLOADABLE)
def test_a_plugin_that_does_not_load_is_answered_with_cause_and_cure(
    start_host: StartHost, plugin: str
) -> None:
    """The package, the object, what is wrong and what to do, in each answer."""
    host = start_host(plugin)
    package = f"test-{plugin.replace('_', '-')}"
    refuses(host, f"plugin '{plugin}' of {package} 1.0: {UNLOADABLE[plugin]}")


@pytest.mark.parametrize(("how", "words"), [("exit", "exit status 3"), ("segfault", "SIGSEGV")])
def test_a_plugin_that_dies_while_it_is_loaded_is_answered_with_how(
    start_host: StartHost, how: str, words: str
) -> None:
    """400 that says how it died; the front lives on."""
    host = start_host("dies_on_import", HOW=how)
    wait_until(lambda: host.events("the plugin cannot be used"), "it was tried")
    front = host.front
    refuses(host, f"the plugin's process died while the plugin was loaded: {words}")
    assert host.front == front


def test_a_plugin_that_dies_right_after_each_load_is_given_up(start_host: StartHost) -> None:
    """After the third time it is not started again before somebody asks: that would never end."""
    host = start_host("dies_when_loaded")
    reason = "the plugin's process ends soon after the plugin was loaded: exit status 3"
    assert host.wait_for("the plugin cannot be used")["reason"] == reason
    assert len(host.events("plugin loaded")) == 3
    reply = prompt_health(host)
    assert (reply.status, reply.json["message"]) == (503, reason)
    time.sleep(1)  # the time itself is what this is about
    assert len(host.events("plugin loaded")) == 3
    tell(host, "well")
    assert host.call("install", {}).json == {"install": 1}
    assert prompt_health(host).status == 200


def test_a_plugin_that_takes_too_long_to_load_is_given_up(start_host: StartHost) -> None:
    """Loading counts towards the deadline of the call that waits for it."""
    host = start_host("hangs_on_import", MODULE_DEADLINE=0.7)
    wait_for_file(host, "importing")
    reply = prompt_health(host)
    assert (reply.status, reply.json["message"]) == (503, "the plugin is being loaded")
    reason = "the plugin did not load within 0.7 s; make its import faster or raise MODULE_DEADLINE"
    for operation in ("install", "resume"):
        began = time.monotonic()
        reply = host.call(operation, {})
        assert (reply.status, reply.text) == (400, f"{reason}\n")
        assert 0.7 <= time.monotonic() - began < 0.7 + PROMPT
        reply = prompt_health(host)
        assert (reply.status, reply.json["message"]) == (503, reason)
    assert host.call("uninstall", {}).status == 204
    tell(host, "well")
    assert host.call("install", {}).status == 201


def test_calls_wait_while_the_plugin_loads(start_host: StartHost) -> None:
    """A call that comes early is answered once the plugin is there."""
    host = start_host("hangs_on_import")
    wait_for_file(host, "importing")
    install = calling(host, "install", {})
    prompt_health(host)
    assert not install.done()
    tell(host, "well")
    assert install.result(PROMPT).json == {"install": 1}


def test_uninstall_goes_first_also_while_the_plugin_loads(start_host: StartHost) -> None:
    """The install that waits for the plugin gives way; its hook was never entered."""
    host = start_host("hangs_on_import")
    wait_for_file(host, "importing")
    install = calling(host, "install", {})
    wait_until(lambda: "install running" in host.health().json["message"], "install waits")
    uninstall = calling(host, "uninstall", {})
    assert install.result(PROMPT).text == "install was cancelled: uninstall was called\n"
    tell(host, "well")
    assert uninstall.result(PROMPT).status == 204
    assert given(host) == [("uninstall", {})]


@pytest.mark.parametrize("plugin", ["raises_on_import", "exits_on_import", "dies_on_import"])
def test_the_next_call_tries_again(start_host: StartHost, plugin: str) -> None:
    """What failed for a reason that has gone is served without a restart."""
    host = start_host(plugin)
    assert host.call("install", {}).status == 400
    tell(host, "well")
    assert host.call("install", {}).json == {"install": 1}
    assert prompt_health(host).status == 200


def test_uninstall_is_refused_once_there_may_be_something_to_clean_up(
    start_host: StartHost,
) -> None:
    """A hook was entered: 204 without its uninstall would be a lie, even after a restart."""
    host = start_host("raises_on_import")
    tell(host, "well")
    assert host.call("install", {}).status == 201
    (host.folder / "well").unlink()
    front = host.front
    os.kill(front, signal.SIGKILL)
    gone(front)
    for body in ({}, {"install": 1}):
        reply = host.call("uninstall", body)
        assert reply.status == 400
        assert "the licence has expired" in reply.text
    tell(host, "well")
    assert host.call("uninstall", {"install": 1}).status == 204
    assert given(host)[-1] == ("uninstall", {"install": 1})


def test_an_unknown_name_is_answered_with_what_there_is(start_host: StartHost) -> None:
    """The setting, its value, and the names that it takes."""
    host = start_host("good", MODULE_PLUGIN="goood")
    reply = host.call("install", {})
    assert reply.status == 400
    assert reply.text.startswith("MODULE_PLUGIN=goood: no such plugin; installed: ")
    assert "good (test-good)" in reply.text
    refuses(host, reply.text.rstrip())


def test_several_plugins_are_answered_with_their_names(start_host: StartHost) -> None:
    """Which to serve is for a person to say."""
    host = start_host("good", "waits")
    reply = host.call("install", {})
    assert reply.status == 400
    assert reply.text.startswith("several plugins are installed; set MODULE_PLUGIN to one of: ")
    assert "good (test-good)" in reply.text
    assert "waits (test-waits)" in reply.text
    refuses(host, reply.text.rstrip())


def test_a_broken_plugin_beside_the_selected_one_does_not_matter(start_host: StartHost) -> None:
    """Only the selected one is imported."""
    host = start_host("good", "dies_on_import", "hangs_on_import", MODULE_PLUGIN="good")
    assert host.call("install", {}).status == 201


def test_a_name_that_two_packages_have_is_answered_with_both(tmp_path: Path) -> None:
    """Neither is taken at random."""
    host = Host(tmp_path, "good")
    site.write_metadata(host.site, "other-package", "good", "raises")
    with host:
        refuses(
            host,
            "MODULE_PLUGIN=good: other-package and test-good both have a plugin of this name;"
            " uninstall one",
        )


@pytest.mark.parametrize(
    ("module", "value", "reason"),
    [
        (
            "nowhere",
            "Manager",
            "its entry point names the module nowhere, which does not exist; check the entry point"
            " in the package's pyproject.toml or setup.cfg",
        ),
        (
            "good",
            "Boss",
            "its entry point names good:Boss, but good has no Boss",
        ),
    ],
)
def test_an_entry_point_that_leads_nowhere_is_answered_with_its_name(
    tmp_path: Path, module: str, value: str, reason: str
) -> None:
    """The entry point is to blame, not an import inside the plugin."""
    host = Host(tmp_path, "good", MODULE_PLUGIN="lost")
    site.write_metadata(host.site, "lost-package", "lost", module, value)
    with host:
        refuses(host, f"plugin 'lost' of lost-package 1.0: {reason}")


def test_a_package_whose_metadata_is_broken_does_not_matter(tmp_path: Path) -> None:
    """Neither bytes that are no text nor lines that are no entry points disturb another."""
    host = Host(tmp_path, "good")
    for number, text in enumerate(
        (b"\xff\xfe[modulehost.managers]", b"[modulehost.managers]\n=:=")
    ):
        folder = host.site / f"broken{number}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_bytes(b"Name: broken\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_bytes(text)
    (host.site / "empty-1.0.dist-info").mkdir()
    with host:
        assert host.call("install", {}).status == 201


def test_a_wrong_setting_is_answered_with_its_name(start_host: StartHost) -> None:
    """The variable, the value, what it takes; and the host is there all the same."""
    host = start_host("good", MODULE_DEADLINE="never")
    reason = "MODULE_DEADLINE='never': it takes a number of seconds above 0"
    for operation in ("sleep", "resume"):
        reply = host.call(operation, {})
        assert (reply.status, reply.text) == (400, f"{reason}\n")
    refuses(host, reason)


WRONG_CONFIG = {"appName": 3, "replicas": 11, "size": "huge", "unknown": 1}
WRONG = (
    "config: appName: it takes text, not an integer; replicas: it takes an integer of at least 1"
    " and of at most 10, not this integer; size: it takes one of large, small, not this text;"
    " unknown: there is no such item"
)


def test_a_wrong_config_is_answered_with_every_problem(start_host: StartHost) -> None:
    """All of them in one line, by alias, without the values; the hooks are not called."""
    host = start_host("picky", config=WRONG_CONFIG)
    reply = host.call("install", {})
    assert (reply.status, reply.text) == (400, f"{WRONG}\n")
    assert prompt_health(host).status == 503
    assert host.call("uninstall", {"left": "over"}).status == 400
    assert host.call("uninstall", {}).status == 204
    assert given(host) == []
    values: dict[str, Any] = {"appName": "shop", "replicas": 3}
    (host.config / "config.json").write_text(json.dumps(values))
    assert host.call("install", {}).status == 201
    assert prompt_health(host).status == 200


def test_a_wrong_config_in_the_body_is_answered_with_every_problem(start_host: StartHost) -> None:
    """Where no config is mounted it may be in the body; what is left out is named."""
    host = start_host("picky")
    reply = host.call("install", {"appName": 3})
    assert (reply.status, reply.text) == (
        400,
        "config: appName: it takes text, not an integer; replicas: missing; it takes an integer of"
        " at least 1 and of at most 10\n",
    )
    assert given(host) == []
    body = {"appName": "shop", "replicas": 3}
    assert host.call("install", body).json == {**body, "install": 1}


@pytest.mark.parametrize("text", ["[]", "{", "\x00", '"text"', "NaN"])
def test_a_config_that_is_no_object_is_answered_with_its_path(
    start_host: StartHost, text: str
) -> None:
    """400 that names the file; an uninstall with nothing to clean up succeeds all the same."""
    host = start_host("picky", config={})
    path = host.config / "config.json"
    path.write_text(text)
    reply = host.call("install", {})
    assert reply.status == 400
    assert reply.text.startswith(f"{path} is not ")
    assert host.call("uninstall", {}).status == 204
    assert given(host) == []
