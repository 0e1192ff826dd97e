"""Requests that nobody would think of: never a server error, never a hang, never another worker."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.host import Host, Reply
from support.properties import METADATA, same, tried
from support.wire import Wire, assert_failure, chunk, chunked, exchange, head, post

pytestmark = pytest.mark.slow


NAMES = ["health", "install", "uninstall", "sleep", "resume"]
FINE = {100, 200, 201, 204, 400, 404, 405}
"""What may be answered to anything while the plugin is well."""

fuzzed = settings(
    tried, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

METHODS = st.sampled_from(["GET", "POST", "HEAD", "PUT", "OPTIONS", "TRACE", "get", "P\xd6ST", ""])
PATHS = st.sampled_from([f"/{name}" for name in NAMES]) | st.builds(
    lambda name, rest: f"/{name}{rest}", st.sampled_from(NAMES), st.text(max_size=10)
)
VERSIONS = st.sampled_from(["1.1", "1.0", "0.9", "2", "1.1 ", "\u00b9.1", ""])
TOKENS = st.text(st.characters(codec="latin-1"), max_size=30)
HEADERS = st.lists(
    st.sampled_from(
        [
            "Host: module.ns.svc.cluster.local",
            "Host: [::1",
            "Connection: close",
            "Connection: keep-alive, upgrade",
            "Expect: 100-continue",
            "Transfer-Encoding: chunked",
            "Transfer-Encoding: identity, chunked",
            "Content-Length: 0",
            "Content-Length: 7",
            "Content-Length: 18446744073709551616",
            "Content-Type: multipart/form-data; boundary=x",
            "Content-Encoding: gzip",
            "X-Request-Id: \t",
            "Range: bytes=0-",
        ]
    )
    | st.builds("{}: {}".format, TOKENS, TOKENS)
    | TOKENS,
    max_size=4,
)
BODIES = (
    st.binary(max_size=60)
    | METADATA.map(lambda value: json.dumps(value).encode())
    | st.text('{}[]":,0123456789.eE+-truefalsn \\u\ud83d', max_size=40).map(
        lambda text: text.encode("utf-8", "surrogatepass")
    )
)
LINES = st.builds("{} {} HTTP/{}\r\n".format, METHODS, PATHS, VERSIONS)
MESSAGES = st.builds(
    lambda line, headers, body: (
        line.encode("utf-8", "replace")
        + "".join(f"{header}\r\n" for header in headers).encode("latin-1")
        + b"\r\n"
        + body
    ),
    LINES,
    HEADERS,
    BODIES,
)
BETTER = st.builds(
    lambda name, body, headers: post(f"/{name}", body, *headers),
    st.sampled_from(NAMES),
    BODIES,
    st.lists(st.sampled_from(["Connection: close", "X-Request-Id: x", "Accept: */*"]), max_size=2),
)
PIECES = st.lists(st.binary(min_size=1, max_size=20), max_size=4)
IN_CHUNKS = st.builds(
    lambda name, pieces, end: chunked(f"/{name}", *map(chunk, pieces), end=end),
    st.sampled_from(NAMES),
    PIECES,
    st.sampled_from([b"0\r\n\r\n", b"", b"0\r\nX: 1\r\n\r\n", b"-1\r\n\r\n", b"\r\n"]),
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A good request with a piece of it replaced."""
    data = draw(BETTER | IN_CHUNKS)
    start = draw(st.integers(0, len(data)))
    end = draw(st.integers(start, min(len(data), start + 8)))
    return data[:start] + draw(st.binary(max_size=8)) + data[end:]


def answers(host: Host, data: bytes) -> list[Reply]:
    """Send it, say that there is no more, and read all answers; none may take long."""
    with Wire(host, data, timeout=5) as wire:
        wire.end()
        found: list[Reply] = []
        # to HEAD there is no body, and no knowing for what a damaged request was taken
        while (reply := wire.reply("HEAD" if b"HEAD" in data else "POST")) is not None:
            found.append(reply)
            if b"HEAD" in data:
                break
        return found


@fuzzed
@given(st.lists(MESSAGES | BETTER | IN_CHUNKS | damaged() | st.binary(max_size=60), max_size=3))
def test_whatever_is_sent_is_answered_or_dropped(host: Host, requests: list[bytes]) -> None:
    """One or several requests on a connection, good, bad, damaged, or no request at all."""
    for reply in answers(host, b"".join(requests)):
        assert reply.status in FINE
        if reply.status == 400 and reply.body:  # HEAD
            assert_failure(reply)


@fuzzed
@given(st.sampled_from(["install", "sleep", "resume"]), METADATA)
def test_whatever_metadata_is_sent_comes_back(
    host: Host, operation: str, metadata: dict[str, Any]
) -> None:
    """But for what the plugin has done to it; in chunks of any size, too."""
    metadata.pop(operation, None)
    assert host.call("uninstall").status == 204
    text = json.dumps(metadata).encode()
    pieces = [chunk(text[start : start + 7]) for start in range(0, len(text), 7)]
    for data in (post(f"/{operation}", text), chunked(f"/{operation}", *pieces)):
        reply = exchange(host, data)
        assert reply.status in (200, 201), reply.text
        assert same(reply.json, {**metadata, operation: 1})


@fuzzed
@given(BODIES)
def test_whatever_body_is_sent_is_json_or_refused(host: Host, body: bytes) -> None:
    """400 for all that Python takes for no JSON object either; what is served is one."""
    reply = exchange(host, post("/install", body))
    if reply.status == 400:
        assert_failure(reply)
        return
    assert reply.status == 201
    assert isinstance(json.loads(body.strip() or b"null"), dict | type(None))


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
def test_every_byte_as_a_path_is_answered(host: Host, method: str) -> None:
    """404 or 400, quoted or not."""
    for byte in range(256):
        for path in (f"/{chr(byte)}", f"/%{byte:02x}", f"/install%{byte:02x}"):
            with Wire(host, head(method, path, "Content-Length: 0", "Connection: close")) as wire:
                reply = wire.reply(method)
                assert reply is None or reply.status in (400, 404, 405), path
