"""What is no HTTP, or not quite: answered 400 or not at all, and the host goes on."""

from __future__ import annotations

import pytest
from support.host import Host
from support.wire import Wire, assert_failure, chunk, chunked, head, operations, post

GOOD = post("/install", b'{"a": 1}', "X-Request-Id: r")

BAD = {
    "no request line": b"hello\r\n\r\n",
    "two words": b"POST /install\r\n\r\n",
    "blank lines": b"\r\n\r\n\r\n",
    "control characters": b"\x00\x01\x02\r\n\r\n",
    "a lower-case method": GOOD.replace(b"POST", b"post"),
    "a method of a letter": GOOD.replace(b"POST", b"P"),
    "a method with a colon": GOOD.replace(b"POST", b"PO:ST"),
    "a path without a slash": GOOD.replace(b"/install", b"install"),
    "a path with a control character": GOOD.replace(b"/install", b"/in\x7fstall"),
    "a path in raw UTF-8": GOOD.replace(b"/install", "/inställ".encode()),
    "an absolute target that is none": GOOD.replace(b"/install", b"http://[/install"),
    "a request line too long": GOOD.replace(b"/install", b"/" + b"x" * 9000),
    "HTTP/0.9": GOOD.replace(b"HTTP/1.1", b"HTTP/0.9"),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/9.9": GOOD.replace(b"HTTP/1.1", b"HTTP/9.9"),
    "no version": GOOD.replace(b"HTTP/1.1", b"FTP/1.1"),
    "lines that end in LF": GOOD.replace(b"\r\n", b"\n"),
    "one line that ends in LF": GOOD.replace(b"localhost\r\n", b"localhost\n"),
    "a header without a colon": head("POST", "/install", "no colon"),
    "a header without a name": head("POST", "/install", ": value"),
    "a header name with a space": head("POST", "/install", "X Y: 1"),
    "a space before the colon": head("POST", "/install", "Content-Length : 0"),
    "a header name beyond ASCII": head("POST", "/install", "X\xe4: 1"),
    "a NUL in a header": head("POST", "/install", "X: a\0b"),
    "a CR in a header": head("POST", "/install", "X: a\rb"),
    "a folded header": head("POST", "/install", "X: a\r\n b"),
    "a header too long": head("POST", "/install", "X: " + "x" * 10_000),
    "headers too many": head("POST", "/install", *["X: 1"] * 200),
    "headers without end": head("POST", "/install", *["X: " + "x" * 8000] * 300)[:-2],
    "two hosts": head("POST", "/install", "Host: other"),
    "a control character in the host": GOOD.replace(b"localhost", b"local\x01host"),
    "two lengths": head("POST", "/install", "Content-Length: 2", "Content-Length: 3") + b"{}",
    "the same length twice": head("POST", "/install", *["Content-Length: 2"] * 2) + b"{}",
    "a negative length": head("POST", "/install", "Content-Length: -2") + b"{}",
    "a length with a sign": head("POST", "/install", "Content-Length: +2") + b"{}",
    "a length in hex": head("POST", "/install", "Content-Length: 0x2") + b"{}",
    "a list of lengths": head("POST", "/install", "Content-Length: 2, 2") + b"{}",
    "a length in words": head("POST", "/install", "Content-Length: two") + b"{}",
    "a length in superscript": head("POST", "/install", "Content-Length: \xb2") + b"{}",
    "a length of 5000 digits": head("POST", "/install", "Content-Length: " + "9" * 5000),
    "an empty length": head("POST", "/install", "Content-Length:") + b"{}",
    "a length and chunks": head(
        "POST", "/install", "Content-Length: 2", "Transfer-Encoding: chunked"
    )
    + b"2\r\n{}\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": chunked("/install", chunk(b"{}")).replace(b"HTTP/1.1", b"HTTP/1.0"),
    "chunks of chunks": head("POST", "/install", "Transfer-Encoding: chunked, chunked"),
    "chunks within gzip": head("POST", "/install", "Transfer-Encoding: chunked, gzip"),
    "gzip alone": head("POST", "/install", "Transfer-Encoding: gzip"),
    "an unknown transfer coding": head("POST", "/install", "Transfer-Encoding: x-pony"),
    "an unknown expectation": head("POST", "/install", "Expect: a pony"),
    "a chunk size in words": chunked("/install", b"two\r\n{}\r\n"),
    "a negative chunk size": chunked("/install", b"-2\r\n{}\r\n"),
    "a chunk size with 0x": chunked("/install", b"0x2\r\n{}\r\n"),
    "no chunk size": chunked("/install", b"\r\n{}\r\n"),
    "a chunk longer than its size": chunked("/install", b"2\r\n{} \r\n"),
    "a chunk shorter than its size": chunked("/install", b"4\r\n{}\r\n"),
    "a chunk size line without end": chunked("/install", b"0" * 20_000),
    "a bad chunk extension": chunked("/install", b"2;=\r\n{}\r\n"),
    "a bad trailer": chunked("/install", chunk(b"{}"), end=b"0\r\nno colon\r\n\r\n"),
    "a forbidden trailer": chunked("/install", chunk(b"{}"), end=b"0\r\nHost: other\r\n\r\n"),
    "trailers without end": chunked(
        "/install", chunk(b"{}"), end=b"0\r\n" + (b"X: " + b"x" * 8000 + b"\r\n") * 300
    ),
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_what_is_no_http_is_refused(host: Host, data: bytes) -> None:
    """400 in a line of text, the connection is closed, and the plugin is not called."""
    before = operations(host)
    with Wire(host, data) as wire:
        assert_failure(wire.answer())
        assert wire.closed()
    assert operations(host) == before


@pytest.mark.parametrize("data", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET", b"\r"])
def test_half_a_request_is_not_answered(host: Host, data: bytes) -> None:
    """A TLS greeting, a word: whoever ends there has asked for nothing."""
    with Wire(host, data) as wire:
        wire.end()
        assert wire.closed()


def test_a_request_cut_off_at_any_byte_never_reaches_the_plugin(host: Host) -> None:
    """In the head: no answer; in the body: 400."""
    before = operations(host)
    body = GOOD.index(b"\r\n\r\n") + 4
    for length in range(len(GOOD)):
        with Wire(host, GOOD[:length]) as wire:
            wire.end()
            if length < body:
                assert wire.closed()
            else:
                assert_failure(wire.answer(), f"after {length - body} of 8 bytes")
    assert operations(host) == before


@pytest.mark.parametrize("other", [b"\x00", b"\xff", b"\n", b"\r", b" ", b":", b"9"])
def test_a_wrong_byte_anywhere_is_never_a_server_error(host: Host, other: bytes) -> None:
    """Each byte of a good request replaced in turn: served, refused or dropped, never 5xx."""
    for at in range(len(GOOD)):
        with Wire(host, GOOD[:at] + other + GOOD[at + 1 :]) as wire:
            wire.end()
            reply = wire.reply()
            assert reply is None or reply.status in (201, 400, 404, 405)


def test_an_upgrade_is_not_taken(host: Host) -> None:
    """A client that offers another protocol is served in this one."""
    headers = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")
    with Wire(host, head("GET", "/health", *headers)) as wire:
        assert wire.answer().json["healthy"] is True


def test_headers_cannot_change_what_is_asked_for(host: Host) -> None:
    """Names that some servers turn into their own variables are dropped."""
    headers = ("Script_Name: /install", "Path_Info: /sleep", "X-HTTP-Method-Override: GET")
    with Wire(host, post("/install", b'{"a": 1}', *headers)) as wire:
        assert wire.answer().json == {"a": 1, "install": 1}
