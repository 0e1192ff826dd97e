"""The life of a module over HTTP, to the byte where the user's document fixes it."""

from __future__ import annotations

import pytest
from support.host import Host, StartHost
from support.wire import Wire, exchange, head, operations, post


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


@pytest.mark.parametrize(
    ("operation", "status"), [("install", 201), ("sleep", 200), ("resume", 200)]
)
def test_a_success_is_the_metadata_as_json(host: Host, operation: str, status: int) -> None:
    """The answer is one line of JSON: what was sent and what the plugin added, keys sorted."""
    body = '{"z": [1, 2.5, true, null], "a": {"ü": "<&>"}}'.encode()
    reply = exchange(host, post(f"/{operation}", body))
    line = f'{{"a":{{"ü":"<&>"}},"{operation}":1,"z":[1,2.5,true,null]}}\n'.encode()
    assert (reply.status, reply.body) == (status, line)
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.headers["Content-Length"] == str(len(line))


def test_an_uninstall_is_answered_without_a_body(host: Host) -> None:
    """204 with neither a body nor headers that would describe one; the connection goes on."""
    with Wire(host, post("/uninstall", b'{"a": 1}')) as wire:
        reply = wire.answer()
        assert (reply.status, reply.body) == (204, b"")
        for header in ("Content-Type", "Content-Length", "Transfer-Encoding"):
            assert header not in reply.headers
        wire.send(head("GET", "/health"))
        assert wire.answer().status == 200


def test_every_answer_is_dated_and_keeps_the_connection(host: Host) -> None:
    """Four calls and a question on one connection, each answer with a date, none with a close."""
    requests = [
        post(f"/{name}", b'{"a": 1}') for name in ("install", "sleep", "resume", "uninstall")
    ]
    with Wire(host) as wire:
        for data in (*requests, head("GET", "/health")):
            wire.send(data)
            reply = wire.answer()
            assert "Date" in reply.headers
            assert reply.headers["Connection"] == "keep-alive"


def test_a_client_that_wants_the_connection_closed_gets_that(host: Host) -> None:
    """``Connection: close`` is answered alike, and HTTP/1.0 needs no word for it."""
    with Wire(host, post("/install", b"{}", "Connection: close")) as wire:
        assert wire.answer().headers["Connection"] == "close"
        assert wire.closed()
    with Wire(host, head("POST", "/sleep", version="1.0")) as wire:
        assert wire.answer().status == 200
        assert wire.closed()


def test_pipelined_calls_are_answered_in_their_order(host: Host) -> None:
    """Requests sent in one piece are served one after the other."""
    before = operations(host)
    pieces = post("/install", b'{"a": 1}') + post("/sleep", b'{"a": 2}') + head("GET", "/health")
    with Wire(host, pieces) as wire:
        assert wire.answer().json == {"a": 1, "install": 1}
        assert wire.answer().json == {"a": 2, "sleep": 1}
        assert wire.answer().json["healthy"] is True
    assert operations(host) == before + 2
