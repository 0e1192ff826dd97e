"""What a lifecycle call may bring, and how it is told what is wrong with the rest."""

from __future__ import annotations

import gzip
import json

import pytest
from support.host import Host, StartHost
from support.wire import Wire, assert_failure, chunk, chunked, exchange, head, operations, post

MIB = 1 << 20


@pytest.mark.parametrize("body", [b"", b"null", b" \r\n\t ", b" null\n", b"{}", b"{ }"])
@pytest.mark.parametrize(
    "send",
    [post, lambda path, body: chunked(path, chunk(body) if body else b"")],
    ids=["length", "chunks"],
)
def test_nothing_null_and_whitespace_are_an_empty_object(
    host: Host, send: object, body: bytes
) -> None:
    """The first call of a module's life may bring no metadata in any of these forms."""
    assert callable(send)
    reply = exchange(host, send("/install", body))
    assert (reply.status, reply.body) == (201, b'{"install":1}\n')


def test_a_post_without_a_length_has_an_empty_body(host: Host) -> None:
    """Neither Content-Length nor Transfer-Encoding: there is no body to wait for."""
    assert exchange(host, head("POST", "/install")).json == {"install": 1}


@pytest.mark.parametrize(
    "header",
    [
        "Content-Type: application/json",
        "Content-Type: application/json; charset=latin-1",
        "Content-Type: text/plain",
        "Content-Type: application/x-www-form-urlencoded",
        "Content-Type: multipart/form-data; boundary=x",
        "Content-Type: nonsense",
        "Content-Type:",
        "Accept: text/html",
    ],
)
def test_the_content_type_is_not_looked_at(host: Host, header: str) -> None:
    """The body is JSON in UTF-8 whatever the client calls it."""
    reply = exchange(host, post("/install", '{"a": "ü"}'.encode(), header))
    assert (reply.status, reply.json) == (201, {"a": "ü", "install": 1})


@pytest.mark.parametrize(
    "chunks",
    [
        [b'9\r\n{"a": 1}\n\r\n'],
        [chunk(b'{"a"'), chunk(b": "), chunk(b"1}")],
        [chunk(bytes([byte])) for byte in b'{"a": 1}'],
        [b'8;name=value;x="quoted"\r\n{"a": 1}\r\n'],
        [b'008\r\n{"a": 1}\r\n'],
    ],
)
@pytest.mark.parametrize("end", [b"0\r\n\r\n", b"000\r\nX-Trailer: 1\r\n\r\n"])
def test_a_chunked_body_is_taken(host: Host, chunks: list[bytes], end: bytes) -> None:
    """In whatever pieces, with extensions and trailers; the connection goes on behind it."""
    with Wire(host, chunked("/install", *chunks, end=end)) as wire:
        assert wire.answer().json == {"a": 1, "install": 1}
        wire.send(post("/sleep", b'{"b": 2}'))
        assert wire.answer().json == {"b": 2, "sleep": 1}


def test_a_body_that_comes_in_drops_is_put_together(host: Host) -> None:
    """Head and body byte by byte, each in a packet of its own."""
    with Wire(host) as wire:
        for byte in post("/install", b'{"a": "\xc3\xbc"}'):
            wire.send(bytes([byte]))
        assert wire.answer().json == {"a": "ü", "install": 1}


def test_expect_100_continue_is_answered_before_the_body_is_sent(host: Host) -> None:
    """The client waits for the interim answer, as curl does for large bodies."""
    body = b'{"a": 1}'
    with Wire(host, post("/install", b"", "Expect: 100-continue", length=len(body))) as wire:
        assert wire.answer().status == 100
        wire.send(body)
        assert wire.answer().json == {"a": 1, "install": 1}


@pytest.mark.parametrize(
    ("number", "kept"),
    [
        (b"3.0", b"3"),
        (b"-0", b"0"),
        (b"1e5", b"100000"),
        (b"0.1", b"0.1"),
        (b"9007199254740993", b"9007199254740992"),
        (b"1e300", b"1e300"),
        (b"9" * 300, b"1e300"),
        (b"1e-999", b"0"),
    ],
)
def test_numbers_are_kept_as_the_operator_keeps_them(
    host: Host, number: bytes, kept: bytes
) -> None:
    """Go reads every number as a float64; what it would give back is what the plugin sees."""
    assert (
        exchange(host, post("/install", b'{"a":%b}' % number)).body
        == b'{"a":%b,"install":1}\n' % kept
    )


BAD = {
    "an array": (b"[]", "an array"),
    "text": (b'"x"', "a string"),
    "an integer": (b"1", "a number"),
    "a float": (b"1.5", "a number"),
    "a boolean": (b"true", "a boolean"),
    "a word": (b"hello", "byte 0"),
    "a form": (b"a=1&b=2", "byte 0"),
    "a byte order mark": (b"\xef\xbb\xbf{}", "byte 0"),
    "UTF-16": (b"\xff\xfe" + '{"a": 1}'.encode("utf-16-le"), "byte 0"),
    "gzip": (gzip.compress(b'{"a": 1}', mtime=0), "byte 0"),
    "no value": (b'{"a": ', "truncated"),
    "no end": (b'{"a": 1', "truncated"),
    "something behind": (b'{"a": 1}x', "trailing characters"),
    "two objects": (b"{} {}", "trailing characters"),
    "single quotes": (b"{'a': 1}", "byte 1"),
    "no quotes": (b"{a: 1}", "byte 1"),
    "a trailing comma": (b'{"a": 1,}', "byte 8"),
    "a leading zero": (b'{"a": 01}', "byte 7"),
    "NaN": (b'{"a": NaN}', "byte 6"),
    "Infinity": (b'{"a": Infinity}', "byte 6"),
    "a control character": (b'{"a": "\x01"}', "byte 7"),
    "a bad escape": (b'{"a": "\\x"}', "invalid escape"),
    "a number past any float": (b'{"a": 1e999}', "out of range at byte 6"),
    "a negative one": (b'{"b": [1, -1e999]}', "out of range at byte 10"),
    "a float past any": (b'{"a": 1.5e400}', "out of range at byte 6"),
    "an integer past any": (b'{"1e999": ' + b"9" * 400 + b"}", "out of range at byte 10"),
    "a very long integer": (b'{"a\\"": ' + b"9" * 5000 + b"}", "out of range at byte 8"),
    "a bad byte": (b'{"a": "\xff"}', "UTF-8 at byte 7"),
    "a bad byte in a key": (b'{"\xff": 1}', "UTF-8 at byte 2"),
    "half a character": (b'{"a": "\xc3"}', "UTF-8 at byte 7"),
    "a surrogate": (b'{"a": "\xed\xa0\x80"}', "UTF-8 at byte 7"),
    "an escaped surrogate": (b'{"a": "\\ud800"}', "a lone surrogate at byte 7, which is no text"),
    "half a pair": (b'{"a": "\\ud83d\\ude00\\\\ud800\\udfff"}', "a lone surrogate at byte 26"),
    "201 objects": (b'{"a":' * 201 + b"1" + b"}" * 201, "nested more than 200 levels"),
    "480 arrays": (b'{"a":' + b"[" * 480 + b"]" * 480 + b"}", "nested more than 200 levels"),
    "900 arrays": (b'{"a":' + b"[" * 900 + b"]" * 900 + b"}", "nested more than 200 levels"),
    "100,000 objects": (b'{"a":' * 100_000, "nested more than 200 levels"),
    "500,000 arrays": (b"[" * 500_000 + b"]" * 500_000, "nested more than 200 levels"),
}


@pytest.mark.parametrize(("body", "word"), BAD.values(), ids=BAD)
def test_a_bad_body_is_refused_with_what_is_wrong_and_where(
    host: Host, body: bytes, word: str
) -> None:
    """Announced or chunked: 400 with the reason, and the plugin is not called."""
    before = operations(host)
    for data in (post("/install", body), chunked("/uninstall", chunk(body))):
        assert_failure(exchange(host, data), "the body", word)
    assert operations(host) == before


def test_a_bad_body_leaves_the_connection_usable(host: Host) -> None:
    """It was read to its end, so the next request is found behind it."""
    with Wire(host) as wire:
        for send in (post, lambda path, body: chunked(path, chunk(body))):
            wire.send(send("/install", b"[1, 2]"))
            assert_failure(wire.answer(), "an array")
        wire.send(post("/install", b'{"a": 1}'))
        assert wire.answer().json == {"a": 1, "install": 1}


def test_two_hundred_levels_are_taken(host: Host) -> None:
    """The limit on nesting is the one for what a plugin may leave."""
    body = b'{"a":' * 199 + b"{}" + b"}" * 199
    assert exchange(host, post("/install", body)).status == 201


@pytest.mark.parametrize("path", ["/install", "/uninstall"])
def test_a_body_over_the_limit_is_refused(host: Host, path: str) -> None:
    """One byte more than MODULE_MAX_BODY, announced or not; the reason names the limit."""
    before = operations(host)
    body = b'{"a": "%b"}' % (b"x" * (MIB - 8))
    for data in (
        post(path, body),
        chunked(path, chunk(body)),
        chunked(path, *[chunk(body[at : at + 1000]) for at in range(0, len(body), 1000)]),
        post(path, b"", length=10**30),
    ):
        assert_failure(exchange(host, data), "1048576 bytes", "MODULE_MAX_BODY")
    assert operations(host) == before


def test_a_body_of_just_the_limit_is_read(start_host: StartHost) -> None:
    """The limit itself is inside, and MODULE_MAX_BODY moves it."""
    host = start_host("good", MODULE_MAX_BODY="10 KiB")
    body = b'{"a":"%b"}' % (b"x" * (10_240 - 8))
    assert len(body) == 10_240
    assert host.request("POST", "/install", body).status == 201
    assert_failure(host.request("POST", "/sleep", body + b"\n"), "10240 bytes", "MODULE_MAX_BODY")


def test_a_body_far_over_the_limit_does_not_have_to_be_sent(host: Host) -> None:
    """The answer comes before the body, so that nobody has to push a gigabyte for it."""
    for data in (
        post("/install", b"{", length=1 << 30),
        head("POST", "/install", f"Content-Length: {10**15}"),
    ):
        assert_failure(exchange(host, data), "MODULE_MAX_BODY")
    with Wire(host, chunked("/install", b"40000000\r\n" + b" " * (2 * MIB), end=b"")) as wire:
        assert_failure(wire.answer(), "MODULE_MAX_BODY")


LONG = b'{"a": "' + b"x" * 99_993

CUT_OFF = {
    "length": (post("/install", b"{}", length=10), "ended after 2 of 10 bytes"),
    "no body": (post("/install", b"", length=1), "ended after 0 of 1 bytes"),
    "long": (post("/install", LONG, length=100_001), "ended after 100000 of 100001 bytes"),
    "last chunk": (chunked("/install", chunk(b"{}"), end=b""), "before its last chunk"),
    "chunk": (chunked("/install", b"20\r\n{}", end=b""), "before its last chunk"),
    "no chunk": (chunked("/install", end=b""), "before its last chunk"),
    "chunk size": (chunked("/install", b"2", end=b""), "before its last chunk"),
    "last line": (chunked("/install", chunk(b"{}"), end=b"0\r\n"), "could not be read"),
    "line": (chunked("/install", b"2\r\n{}", end=b""), "could not be read"),
}
"""Requests that end within their body."""


@pytest.mark.parametrize(("data", "words"), CUT_OFF.values(), ids=CUT_OFF)
def test_a_body_that_ends_too_soon_is_refused(host: Host, data: bytes, words: str) -> None:
    """What came is JSON, but not all of it came: the plugin is not called with a part."""
    before = operations(host)
    with Wire(host, data) as wire:
        wire.end()
        assert_failure(wire.answer(), "the body", words)
        assert wire.closed()
    assert operations(host) == before


@pytest.mark.parametrize(
    "garbage", [b"garbage\r\n\r\n", b'"secret"}\r\n', b"\x00\r\n", b"{}\r\n\r\n{}\r\n"]
)
def test_what_follows_a_body_is_taken_for_a_request_and_refused(host: Host, garbage: bytes) -> None:
    """Longer than announced: the call gets its answer, the rest a 400, and the connection ends."""
    before = operations(host)
    with Wire(host, post("/install", b"{}") + garbage) as wire:
        assert wire.answer().json == {"install": 1}
        assert_failure(wire.answer())
        assert wire.closed()
    assert operations(host) == before + 1


def test_metadata_that_grew_too_large_is_refused_with_its_size(host: Host) -> None:
    """A body may be larger than the metadata that the operator could store afterwards."""
    body = json.dumps({"a": "<" * (40 << 10)})
    reply = host.request("POST", "/install", body)
    assert_failure(reply, "245780 bytes", "196608 bytes", "MODULE_MAX_METADATA")
