"""Metadata of older versions of a plugin is brought up; what goes wrong there loses nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.faults import given
from support.host import StartHost

KEY = "modulehost"


def told(metadata: dict[str, Any]) -> dict[str, Any]:
    """Without the counts of the plugin's operations."""
    return {key: value for key, value in metadata.items() if key in (KEY, "name", "names", "ports")}


def test_old_metadata_goes_each_step_of_its_way(start_host: StartHost) -> None:
    """Without a version it is of version 1; what the hook is given is of the plugin's."""
    host = start_host("has_versions")
    now = {"ports": {"web": 80}, KEY: {"metadataVersion": 3}}
    reply = host.call("sleep", {"name": "web"})
    assert told(reply.json) == now
    assert given(host) == [("sleep", now)]
    again = host.call("resume", reply.json)
    assert told(again.json) == now
    assert given(host)[-1] == ("resume", reply.json)
    reply = host.call("sleep", {"names": ["web"], KEY: {"metadataVersion": 2}})
    assert told(reply.json) == now
    steps = [(line["before"], line["after"]) for line in host.events("metadata brought up")]
    assert steps == [(1, 3), (2, 3)]


@pytest.mark.parametrize("body", [{}, {"size": 2}])
def test_the_first_metadata_is_of_the_newest_version(
    start_host: StartHost, body: dict[str, Any]
) -> None:
    """Nothing is migrated where there is nothing, or the config alone."""
    host = start_host("has_versions")
    assert host.call("install", body).json[KEY] == {"metadataVersion": 3}


def test_the_first_image_with_versions_takes_up_a_module_of_the_one_before(
    start_host: StartHost,
) -> None:
    """And the one before says no to what the new one has left, whatever the operation."""
    old, new = start_host("good"), start_host("has_versions")
    metadata = old.call("install", {"name": "web"}).json
    assert KEY not in metadata
    metadata = new.call("sleep", metadata).json
    assert told(metadata) == {"ports": {"web": 80}, KEY: {"metadataVersion": 3}}
    for operation in ("resume", "uninstall"):
        reply = old.call(operation, metadata)
        assert (reply.status, reply.text) == (
            400,
            "the metadata is of version 3, and this plugin knows it up to 1: it was left by a newer"
            " one; put that image back\n",
        )


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        (
            "raises",
            "MigrationError: the metadata cannot be brought from version 2 to 3: ValueError:"
            " no such port\n",
        ),
        (
            "returns",
            "the migration from version 2 to 3 returned dict, not None; change the metadata in"
            " place instead\n",
        ),
    ],
)
def test_a_migration_that_fails_loses_nothing(start_host: StartHost, how: str, reason: str) -> None:
    """The hook is not called, and the metadata stays as it was: no step of the way is kept."""
    host = start_host("has_versions", BREAK_MIGRATION=how)
    reply = host.call("sleep", {"name": "web"})
    assert (reply.status, reply.text) == (400, reason)
    assert given(host) == []
    assert json.loads(host.journal().left().text) == {"name": "web"}
    assert ("names_have_ports" in str(host.events("sleep raised"))) == (how == "raises")


@pytest.mark.parametrize("version", [0, -1, "2", 1.5, True, None, {}])
def test_what_is_no_version_is_refused(start_host: StartHost, version: Any) -> None:
    """Somebody has changed it by hand."""
    host = start_host("has_versions")
    reply = host.call("sleep", {"name": "web", KEY: {"metadataVersion": version}})
    assert reply.status == 400
    assert reply.text.startswith('metadata["modulehost"]["metadataVersion"] is no version')


def test_the_ledger_and_the_version_live_together(start_host: StartHost) -> None:
    """Below the one key."""
    host = start_host("has_versions")
    made = {"created": [{"kind": "database", "name": "web"}]}
    reply = host.call("sleep", {"name": "web", KEY: made})
    assert reply.json[KEY] == {**made, "metadataVersion": 3}
