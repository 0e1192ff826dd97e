"""Descriptors of the plugin's process: made where they are needed, and given back."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from support.host import Host, StartHost
from support.processes import wait_until


def descriptors(host: Host) -> Counter[str]:
    """What the descriptors of the plugin's process are open on, numbers left out."""
    links = Path(f"/proc/{host.runner}/fd").iterdir()
    return Counter(str(link.readlink()).partition(":[")[0] for link in links)


def test_no_refused_config_leaks_one(start_host: StartHost) -> None:
    """Nor does a health question, or an operation; an event descriptor is for ``ctx.run`` alone."""
    host = start_host("configured")
    host.wait_for("plugin loaded")
    assert host.call("install", {"appName": "shop"}).status == 201
    before = descriptors(host)
    assert not any("eventfd" in link for link in before)
    runner = host.runner
    for number in range(30):
        reply = host.call("install", {"appName": number})
        assert reply.text.startswith("config: appName: it takes text")
        assert host.health().status == 200
    assert host.call("sleep", {"appName": "shop"}).status == 200
    assert (host.runner, descriptors(host)) == (runner, before)


def test_running_programs_leaves_none(start_host: StartHost) -> None:
    """In operations and in the health hook: as many after the tenth as after the first."""
    host = start_host("runs_in_health", MISBEHAVE_IN="sleep")
    assert host.call("sleep", {"a": 1}).status == 200
    assert host.health().status == 200
    before = descriptors(host)
    for _ in range(10):
        assert host.call("sleep", {"a": 1}).status == 200
        assert host.health().status == 200
    wait_until(lambda: descriptors(host) == before, "all are given back")
