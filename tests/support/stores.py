"""What any store must do for the plugin ``stores_dumps``, whatever it is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from support.host import Host


def stored(metadata: dict[str, Any]) -> list[dict[str, Any]]:
    """The objects in the ledger."""
    found: list[dict[str, Any]] = metadata.get("modulehost", {}).get("created", [])
    return found


def check_a_life(host: Host, keys: Callable[[], set[str]]) -> None:
    """Dumps are written, replaced, read back and removed; ``keys`` are the objects there are."""
    first = host.call("sleep", {})
    assert first.status == 200, first.text
    [made] = stored(first.json)
    assert first.json["names"] == ["shop.dump"]
    assert (made["kind"], made["confirmed"]) == ("stored", True)
    assert made["details"]["size"] == 3_000_000
    assert len(made["details"]["sha256"]) == 64
    assert keys() == {made["name"]}
    second = host.call("sleep", first.json)
    [other] = stored(second.json)
    assert keys() == {other["name"]} != {made["name"]}
    third = host.call("resume", second.json)
    assert third.status == 200, third.text
    assert host.call("uninstall", third.json).status == 204
    assert keys() == set()


def check_a_write_that_fails(host: Host, keys: Callable[[], set[str]], how: str) -> None:
    """The older dump stays and can be read; what is half written goes, at the latest at the end."""
    metadata = host.call("sleep", {}).json
    (host.folder / "fault").write_text(how)
    assert host.call("sleep", metadata).status == 400
    left = host.call("resume", metadata)
    assert left.status == 200, left.text
    assert host.call("uninstall", metadata).status == 204
    confirmed = (host.folder / "created").read_text().splitlines()
    assert confirmed == (["False", "True"] if how == "die" else ["True"])
    assert keys() == set()
