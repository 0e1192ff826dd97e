"""Five endpoints, and nothing else."""

from __future__ import annotations

import pytest
from support.host import Host
from support.wire import TEXT, Wire, exchange, head, operations, post

OPERATIONS = ("install", "uninstall", "sleep", "resume")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/install/",
        "/Install",
        "/installs",
        "/install/x",
        "/install%2F",
        "/x/install",
        "//install",
        "/%2Finstall",
        "///",
        "/./install",
        "/../install",
        "/x/../install",
        "/install;v=1",
        "/favicon.ico",
        "/static/x",
        "/%ff%fe",
        "/%00",
        pytest.param("/" + "x" * 3000, id="a long one"),
    ],
)
def test_any_other_path_is_not_found(host: Host, path: str) -> None:
    """404 in a line of text, never a redirection, and the plugin is not called."""
    before = operations(host)
    for method in ("GET", "POST"):
        reply = exchange(host, head(method, path, "Content-Length: 0"), method)
        assert (reply.status, reply.headers["Content-Type"]) == (404, TEXT)
        assert reply.text == "not found\n"
    assert operations(host) == before


@pytest.mark.parametrize("odd", ["a..b", "a..b.svc", "a.b.svc..cluster", "x" * 300])
def test_a_host_that_is_none_is_told(host: Host, odd: str) -> None:
    """400 with the header and its value, cut; the plugin is not called."""
    before = operations(host)
    for method, path in (("POST", "/install"), ("GET", "/health")):
        reply = host.request(method, path, headers={"Host": odd})
        shown = odd if len(odd) <= 100 else f"{odd[:99]}…"
        assert (reply.status, reply.headers["Content-Type"]) == (400, TEXT)
        assert reply.text == f"the Host {shown!r} is no name and no address\n"
    assert operations(host) == before


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_lifecycle_call_is_a_post(host: Host, operation: str, method: str) -> None:
    """Any other method is answered 405 with ``Allow: POST``; OPTIONS too."""
    before = operations(host)
    reply = exchange(host, head(method, f"/{operation}"), method)
    assert (reply.status, reply.headers["Allow"]) == (405, "POST")
    assert reply.body == (b"" if method == "HEAD" else b"method not allowed\n")
    assert operations(host) == before


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
def test_health_is_for_get_and_head(host: Host, method: str) -> None:
    """Any other method is answered 405 with ``Allow: GET, HEAD``."""
    reply = exchange(host, head(method, "/health", "Content-Length: 0"), method)
    assert reply.status == 405
    assert {word.strip() for word in reply.headers["Allow"].split(",")} == {"GET", "HEAD"}


def test_options_for_the_whole_server_is_not_served(host: Host) -> None:
    """``OPTIONS *`` is another path."""
    assert exchange(host, head("OPTIONS", "*")).status == 404


def test_connect_is_refused(host: Host) -> None:
    """The host is no proxy."""
    assert exchange(host, head("CONNECT", "localhost:80")).status == 404


def test_an_absolute_target_is_taken_for_its_path(host: Host) -> None:
    """As every server must (RFC 9112), whatever the host in it."""
    data = post("http://localhost/install", b'{"a": 1}')
    assert exchange(host, data).json == {"a": 1, "install": 1}


def test_a_refused_request_leaves_the_connection_usable(host: Host) -> None:
    """After 404 and 405, with their bodies unread, the next request is answered."""
    with Wire(host) as wire:
        for path, status in (("/nothing", 404), ("/health", 405), ("/install", 201)):
            wire.send(post(path, b'{"a": 1}'))
            assert wire.answer().status == status
