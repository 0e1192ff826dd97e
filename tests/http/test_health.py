"""GET /health."""

from __future__ import annotations

import calendar
import contextlib
import http.client
import json
import re
import time

from support.host import Host, StartHost
from support.wire import exchange, head, post


def test_health_has_the_four_keys_of_the_contract(host: Host) -> None:
    """timestamp, uptime, message, healthy, in this order, as one line of JSON."""
    reply = host.health()
    assert (reply.status, reply.headers["Content-Type"]) == (200, "application/json")
    pattern = (
        r'\{"timestamp":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ","uptime":\d+\.\d+,'
        r'"message":"Service is running","healthy":true\}\n'
    )
    assert re.fullmatch(pattern, reply.text)


def test_the_timestamp_is_the_time_in_utc_and_whole_seconds(host: Host) -> None:
    """RFC 3339 with a Z, and it is now."""
    before = int(time.time())
    stamp = calendar.timegm(time.strptime(host.health().json["timestamp"], "%Y-%m-%dT%H:%M:%SZ"))
    assert before <= stamp <= time.time()


def test_uptime_counts_from_the_keepers_start_and_across_sleep(start_host: StartHost) -> None:
    """A host that slept between two questions is as old as one that did not."""
    earliest = time.monotonic()
    host = start_host("good", MODULE_IDLE=1)
    latest = time.monotonic()

    def started() -> tuple[float, float]:
        """The earliest and the latest moment that the answer says the host was started at."""
        asked = time.monotonic()
        uptime = host.health().json["uptime"]
        assert isinstance(uptime, float)
        return asked - uptime, time.monotonic() - uptime

    first = started()
    host.wait_for("asleep")
    second = started()
    for low, high in (first, second):
        assert high > earliest
        assert low < latest


def test_head_is_answered_like_get_without_the_body(host: Host) -> None:
    """HEAD /health has the status and the headers of GET /health."""
    reply = exchange(host, head("HEAD", "/health", "Connection: close"), "HEAD")
    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["Content-Type"] == "application/json"
    assert int(reply.headers["Content-Length"]) > 0


def test_a_body_sent_with_a_question_for_health_does_no_harm(host: Host) -> None:
    """What comes with a GET is read over, and the next request is found behind it."""
    data = post("/health", b"not json").replace(b"POST", b"GET")
    assert exchange(host, data).status == 200
    assert host.call("install", {"a": 1}).status == 201


def test_health_and_a_call_can_share_a_query(host: Host) -> None:
    """A query string is not looked at."""
    assert host.request("GET", "/health?verbose=1").status == 200
    assert host.request("POST", "/install?dry-run=1", b'{"a": 1}').json == {"a": 1, "install": 1}


def test_an_operation_is_over_when_its_answer_is_there(start_host: StartHost) -> None:
    """Whoever has read the answer, and asks for the health at once, is not told that it runs."""
    host = start_host("good")
    caller, asker = connection(host), connection(host)
    with contextlib.closing(caller), contextlib.closing(asker):
        for number in range(300):
            operation = "uninstall" if number % 3 == 2 else "install"
            caller.request("POST", f"/{operation}", b"{}")
            assert caller.getresponse().read() in (b'{"install":1}\n', b"")
            asker.request("GET", "/health")
            assert json.load(asker.getresponse())["message"] == "Service is running"


def connection(host: Host) -> http.client.HTTPConnection:
    """One that is kept."""
    return http.client.HTTPConnection("127.0.0.1", host.port, timeout=10)
