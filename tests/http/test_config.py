"""Where a module's config comes from, and how it is told what is wrong with it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.host import Host, StartHost, running
from support.wire import assert_failure

DEFAULTS = {
    "replicas": 1,
    "cpuShare": 0.5,
    "debug": False,
    "size": "small",
    "zones": ["north"],
    "note": None,
}

ALL_GIVEN = {
    "appName": "shop",
    "replicas": 3,
    "cpuShare": 1,
    "debug": True,
    "size": "large",
    "zones": ["south", "north"],
    "note": "text",
}

ALL_WRONG = {
    "replicas": 11,
    "cpuShare": "half",
    "debug": 1,
    "size": "medium",
    "zones": ["west"],
    "note": {},
}

PROBLEMS = [
    "appName: missing; it takes text matching '^[a-z-]+$'",
    "replicas: it takes an integer of at least 1 and of at most 10",
    "cpuShare: it takes a number above 0 and of at most 1, not text",
    "debug: it takes true or false, not an integer",
    "size: it takes one of large, small, not this text",
    "zones: it takes a list of north, south, not this list",
    "note: it takes text, not an object",
]


UNKNOWN = "config has keys that the plugin does not know"


@pytest.fixture(scope="module")
def shared_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host with the plugin ``configured``."""
    with running(tmp_path_factory.mktemp("shared"), "configured", MODULE_IDLE=0) as host:
        yield host


@pytest.fixture
def file(shared_host: Host) -> Iterator[Path]:
    """Its config file, which is not there at first; the config is read for each operation."""
    path = shared_host.config / "config.json"
    yield path
    with contextlib.suppress(IsADirectoryError):
        path.unlink(missing_ok=True)
    if path.exists():
        path.rmdir()


@pytest.fixture
def host(shared_host: Host, file: Path) -> Host:
    """The module's host with nothing installed."""
    file.write_text('{"appName": "nobody"}')
    assert shared_host.call("uninstall").status == 204
    file.unlink()
    return shared_host


def test_the_defaults_are_filled_in(host: Host, file: Path) -> None:
    """The operator passes what the user wrote, without the schema's defaults."""
    file.write_text(json.dumps({"appName": "shop"}))
    assert host.call("install").json["config"] == {"appName": "shop", **DEFAULTS}


def test_what_is_given_wins_over_the_defaults(host: Host, file: Path) -> None:
    """All six types; a null is the same as nothing."""
    file.write_text(json.dumps(ALL_GIVEN))
    assert host.call("install").json["config"] == ALL_GIVEN
    file.write_text(json.dumps(dict.fromkeys(DEFAULTS) | {"appName": "x"}))
    assert host.call("sleep").json["config"] == {"appName": "x", **DEFAULTS}


def test_the_file_alone_is_the_config(host: Host, file: Path) -> None:
    """Keys of the body that are called like items are metadata where there is a file."""
    file.write_text(json.dumps({"appName": "shop"}))
    reply = host.call("install", {"appName": "from-the-body", "replicas": "many"})
    assert reply.json == {
        "appName": "from-the-body",
        "replicas": "many",
        "config": {"appName": "shop", **DEFAULTS},
    }


def test_an_empty_file_is_a_config_too(host: Host, file: Path) -> None:
    """``{}`` and ``null`` in the file: nothing was given, and the body is not asked."""
    for text in ("{}", "null", ""):
        file.write_text(text)
        assert_failure(host.call("install", {"appName": "shop"}), "appName: missing")


def test_the_body_is_the_config_where_there_is_no_file(host: Host) -> None:
    """Its keys that are aliases of the schema; they stay in the metadata, too."""
    before = len(host.events(UNKNOWN))
    reply = host.call("install", {"appName": "shop", "replicas": 3.0, "other": "metadata"})
    assert reply.json == {
        "appName": "shop",
        "replicas": 3,
        "other": "metadata",
        "config": {"appName": "shop", **DEFAULTS, "replicas": 3},
    }
    assert len(host.events(UNKNOWN)) == before
    assert host.call("sleep", reply.json).json == reply.json


def test_field_names_are_no_aliases(host: Host) -> None:
    """The alias is what the definition shows to users; nothing else is taken."""
    assert_failure(host.call("install", {"app_name": "shop"}), "appName: missing")


@pytest.mark.parametrize("given_in", ["file", "body"])
def test_all_problems_are_told_at_once(host: Host, file: Path, given_in: str) -> None:
    """One line with every item by its alias and what it takes; the plugin is not called."""
    in_file = given_in == "file"
    if in_file:
        file.write_text(json.dumps(ALL_WRONG))
    hooks, before = len(host.events("hook entered")), len(host.events("operation finished"))
    for operation in ("install", "sleep", "resume"):
        reply = host.call(operation, None if in_file else ALL_WRONG)
        assert_failure(reply, *PROBLEMS)
        assert reply.text.count("it takes") == len(PROBLEMS)
    assert len(host.events("hook entered")) == hooks
    finished = host.events("operation finished")[before:]
    assert [event["outcome"] for event in finished] == ["refused"] * 3


def test_a_mistake_that_is_mended_is_forgotten(host: Host, file: Path) -> None:
    """The config is read anew for each operation."""
    file.write_text(json.dumps({"appName": "SHOP"}))
    assert_failure(host.call("install"), "appName: it takes text matching '^[a-z-]+$'")
    file.write_text('{"appName": "shop"}')
    assert host.call("install").json == {"config": {"appName": "shop", **DEFAULTS}}


def test_unknown_keys_are_named_in_a_warning(host: Host, file: Path) -> None:
    """The operator lets them pass, and so does the host; their values are not logged."""
    config = {"appName": "shop", "replica": "secret-value", "Debug": True}
    file.write_text(json.dumps(config))
    assert host.call("install").status == 201
    warning = host.wait_for(UNKNOWN)
    assert (warning["level"], warning["keys"]) == ("warning", ["Debug", "replica"])
    assert "secret-value" not in json.dumps(host.events())


def test_an_unknown_key_is_named_with_what_else_is_wrong(host: Host, file: Path) -> None:
    """Without its value, too."""
    file.write_text(json.dumps({"appname": "secret-value", "replicas": 0}))
    reply = host.call("install")
    assert_failure(reply, "appName: missing")
    assert "replicas: it takes" in reply.text
    assert reply.text.endswith("; appname: there is no such item\n")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "is not JSON"),
        ("appName: shop", "is not JSON"),
        ("[]", "is not a JSON object"),
        ('"shop"', "is not a JSON object"),
        ("[" * 100_000, "is not JSON"),
    ],
)
def test_a_file_that_is_no_object_is_refused(
    host: Host, file: Path, text: str, reason: str
) -> None:
    """The reason names the file."""
    file.write_text(text)
    assert_failure(host.call("install", {"appName": "shop"}), f"{file} {reason}")


def test_a_file_that_cannot_be_read_is_refused(host: Host, file: Path) -> None:
    """It is there, so the body is not the config."""
    file.mkdir()
    assert_failure(host.call("install", {"appName": "shop"}), f"{file} cannot be read")


def test_a_plugin_without_a_schema_gets_the_values_as_they_are(start_host: StartHost) -> None:
    """What is in the file, or the whole body."""
    host = start_host("shows_config")
    body: dict[str, Any] = {"a": 1}
    assert host.call("install", body).json == {"a": 1, "config": {"a": 1}}
    (host.config / "config.json").write_text('{"b": [1.5]}')
    assert host.call("sleep", body).json == {"a": 1, "config": {"b": [1.5]}}
