"""The life of a module over HTTP."""

from __future__ import annotations

from support.host import StartHost


def test_a_whole_life_carries_the_metadata_along(start_host: StartHost) -> None:
    """install, sleep, resume, uninstall answer 201, 200, 200, 204 with what the plugin left."""
    host = start_host("good")
    metadata: dict[str, int] = {}
    for operation, status in (("install", 201), ("sleep", 200), ("resume", 200)):
        reply = host.call(operation, metadata)
        assert reply.status == status
        metadata = reply.json
    assert metadata == {"install": 1, "sleep": 1, "resume": 1}
    reply = host.call("uninstall", metadata)
    assert (reply.status, reply.body) == (204, b"")
