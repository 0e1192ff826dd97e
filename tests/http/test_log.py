"""The log: one line of JSON an event, and nothing in it that is nobody's business."""

from __future__ import annotations

import json
import re

import pytest
from support.host import Host, StartHost
from support.wire import Wire, assert_failure, chunk, chunked, exchange, post

MARKER = "Xyzzy-Marker-4711"
LONGEST_LINE = 4096


def lines(host: Host) -> list[str]:
    """The log as it is."""
    return (host.folder / "log").read_text().splitlines()


def test_every_line_is_json_with_time_level_and_event(start_host: StartHost) -> None:
    """The keeper's, gunicorn's, the front's and the plugin's; awake, asleep and at the end."""
    host = start_host("configured", MODULE_IDLE=1)
    assert host.call("install", {"appName": "shop"}).status == 201
    assert_failure(host.call("sleep", {"appName": 1}))
    assert_failure(exchange(host, b"nonsense\r\n\r\n"))
    host.wait_for("asleep")
    assert host.health().status == 200
    assert host.stop() == 0
    for line in lines(host):
        assert len(line.encode()) < LONGEST_LINE
        event = json.loads(line)
        assert [*event][:3] == ["timestamp", "level", "event"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event["timestamp"])
        assert event["level"] in {"debug", "info", "warning", "error"}
        assert event["event"]
        assert event["event"].isprintable()
    events = {event["event"] for event in host.events()}
    assert {"listening", "plugin loaded", "hook entered", "asleep", "stopped"} <= events
    loggers = {event.get("logger") for event in host.events()}
    assert "gunicorn.error" in loggers


@pytest.mark.parametrize(
    ("body", "level", "outcome"),
    [({"a": 1}, "info", "succeeded"), ({"fail": "it is in use"}, "error", "failed")],
)
def test_an_operation_has_one_line_at_its_start_and_one_at_its_end(
    start_host: StartHost, body: dict[str, object], level: str, outcome: str
) -> None:
    """With request id, operation and plugin in both, seconds and outcome in the second."""
    host = start_host("obedient")
    host.call("sleep", body, **{"X-Request-Id": "abc-1"})
    [started] = host.events("operation started")
    [finished] = host.events("operation finished")
    for event in (started, finished):
        assert event["request_id"] == "abc-1"
        assert event["operation"] == "sleep"
        assert event["plugin"] == "obedient"
    assert (finished["level"], finished["outcome"]) == (level, outcome)
    assert 0 < finished["seconds"] < 10
    assert finished.get("reason") == body.get("fail")
    assert host.events("call refused") == []  # told already


def test_a_call_that_is_refused_has_a_line(host: Host) -> None:
    """With the reason that the client was given, and the request's id."""
    reply = exchange(host, post("/install", b"[]", "X-Request-Id: abc-2"))
    assert_failure(reply, "an array")
    event = host.events("call refused")[-1]
    assert (event["level"], event["path"]) == ("warning", "/install")
    assert (event["request_id"], event["reason"]) == ("abc-2", reply.text.rstrip())


def test_what_is_no_http_has_a_line(host: Host) -> None:
    """Of gunicorn's own, in our form."""
    assert_failure(exchange(host, b"nonsense\r\n\r\n"))
    event = [event for event in host.events() if event.get("logger") == "gunicorn.error"][-1]
    assert (event["level"], event["event"]) == (
        "warning",
        "not a request: Invalid HTTP request line",
    )


@pytest.mark.parametrize("name", ["x", "0f1e", "a.b:c/d_e-f=+", "x" * 128])
def test_a_request_id_is_taken_over(host: Host, name: str) -> None:
    """Into all lines of the call."""
    assert host.call("install", {"a": 1}, **{"X-Request-Id": name}).status == 201
    assert host.events("operation started")[-1]["request_id"] == name
    assert host.events("operation finished")[-1]["request_id"] == name


@pytest.mark.parametrize("name", [None, "", "x" * 129, "two words", 'a"b', "<b>", "ü", "\x1b[31m"])
def test_a_request_id_is_made_where_there_is_none(host: Host, name: str | None) -> None:
    """Or one that could not be told from the rest of a line; each call has its own."""
    ids = set()
    headers = [] if name is None else [f"X-Request-Id: {name}"]
    for _ in range(2):
        reply = exchange(host, post("/install", b'{"a": 1}', *headers))
        if reply.status == 201:
            ids.add(host.events("operation finished")[-1]["request_id"])
    assert len(ids) == (0 if name == "\x1b[31m" else 2)
    assert all(re.fullmatch("[0-9a-f]{16}", made) for made in ids)


def test_a_plugins_lines_carry_the_call(start_host: StartHost) -> None:
    """What a hook logs is bound to operation, plugin and request id."""
    host = start_host("configured")
    host.call("resume", {"appName": "shop"}, **{"X-Request-Id": "abc-3"})
    event = host.wait_for("hook entered")
    assert (event["operation"], event["plugin"]) == ("resume", "configured")
    assert event["request_id"] == "abc-3"


def test_a_wrong_log_call_harms_nobody(start_host: StartHost) -> None:
    """Neither in the plugin's logger nor in a library's: what can be said is logged."""
    host = start_host("logs_badly")
    assert host.call("install", {}).json == {"install": 1, "logged": True}
    own, library = host.wait_for("%d of 3 one"), host.wait_for("%d of 3 two")
    assert (own["step"], own["level"]) == (1, "info")
    assert (library["logger"], library["level"]) == ("a.library", "warning")
    for event in (own, library):
        assert "TypeError" in event["wrong_log_call"]


def test_the_least_level_is_a_setting(start_host: StartHost) -> None:
    """``MODULE_LOG_LEVEL=error`` leaves what somebody must look at."""
    host = start_host("obedient", MODULE_LOG_LEVEL="error")
    assert host.call("install", {"a": 1}).status == 201
    assert_failure(host.call("sleep", {"fail": "it is in use"}))
    told = [event["event"] for event in host.events() if event["event"] != "listening"]
    assert told == ["operation finished"]


def test_lines_for_people_are_a_setting(start_host: StartHost) -> None:
    """``MODULE_LOG_FORMAT=console``: the same events, to be read."""
    host = start_host("good", MODULE_LOG_FORMAT="console")
    assert host.call("install", {"a": 1}, **{"X-Request-Id": "abc-4"}).status == 201
    [line] = [line for line in lines(host) if "operation finished" in line]
    pattern = r"\d\d:\d\d:\d\d info +operation finished operation=install plugin=good "
    assert re.match(pattern, line)
    assert "request_id=abc-4" in line
    assert "outcome=succeeded" in line
    assert "\x1b" not in line


LIFE = {"appName": "shop", "note": MARKER, "list": [{MARKER: MARKER}]}
WHOLE = json.dumps(LIFE).encode()
HALF = len(WHOLE) // 2
VALUE = MARKER.encode()

TELLTALES = [
    post("/install", b'{"a": "%b"' % VALUE),
    post("/install", b'{"a": %b}' % VALUE),
    post("/install", b'{"a": "%b\xff"}' % VALUE),
    post("/install", b'{"a": "%b", "b": 1e999}' % VALUE),
    post("/install", b'{"%b": NaN}' % VALUE),
    post("/install", b'["%b"]' % VALUE),
    post("/install", b'"%b"' % VALUE),
    post("/install", b'{"a":' * 300 + b'"%b"' % VALUE + b"}" * 300),
    post("/install", b'{"a": "%b"}' % (VALUE * 70_000)),
    post("/install", b'{"appName": "%b"}' % VALUE),
    post("/install", b'{"appName": "shop", "replicas": "%b"}' % VALUE),
    post("/install", b'{"appName": "shop", "size": "%b"}' % VALUE),
    post("/install", b'{"appName": "shop", "zones": ["%b"]}' % VALUE),
    post("/install", b'{"appName": "shop", "note": {"a": "%b"}}' % VALUE),
    post("/install", b'{"appName": "shop", "a": "%b"}' % (VALUE * 15_000)),
    post("/install", WHOLE, length=len(WHOLE) + 1),
    post("/install", WHOLE + b"\r\n\r\n", length=0),
    post("/install", WHOLE + b"\r\n\r\n", length=HALF),
    post("/install", WHOLE + b" / HTTP/1.1\r\n\r\n", length=HALF),
    post("/install", b"{}GET / HTTP/1.1\r\n%b\r\n\r\n" % WHOLE, length=2),
    post("/install", b"{}GET / HTTP/1.1\r\nHost: %b/\x01\r\n\r\n" % VALUE, length=2),
    chunked("/install", WHOLE + b"\r\n"),
    chunked("/install", chunk(WHOLE), end=WHOLE + b"\r\n\r\n"),
    chunked("/install", chunk(WHOLE), end=b"0\r\n" + WHOLE + b"\r\n\r\n"),
    chunked("/install", chunk(WHOLE)[:-2] + VALUE),
    chunked("/install", b"2;%b\r\n{}\r\n" % WHOLE),
]
"""Requests that are refused, and hold what nobody else shall see."""


def test_no_value_of_metadata_or_config_is_told(start_host: StartHost) -> None:
    """Whatever is wrong with a request, what it holds is in no log line and in no error."""
    host = start_host("configured", MODULE_LOG_LEVEL="debug")
    for operation in ("install", "sleep", "resume", "uninstall"):
        assert host.call(operation, LIFE).status < 300
    failures = []
    for data in TELLTALES:
        with Wire(host, data) as wire:
            wire.end()
            replies = []
            while (reply := wire.reply()) is not None:
                replies.append(reply)
        assert replies
        assert replies[-1].status == 400
        failures += [reply.text for reply in replies if reply.status == 400]
    for text in (json.dumps({"appName": MARKER, "Unknown": MARKER}), f'{{"appName": "{MARKER}"'):
        (host.config / "config.json").write_text(text)
        reply = host.call("install", LIFE)
        assert_failure(reply)
        failures.append(reply.text)
    told = "\n".join([*failures, *lines(host)])
    assert MARKER.lower() not in told.lower()


def test_secrets_are_blotted_out_of_what_a_plugin_tells(start_host: StartHost) -> None:
    """Values of items that are marked as secret: in its reasons, its log lines and its progress."""
    host = start_host("indiscreet", config={"token": MARKER})
    assert_failure(host.call("install"), "the server refuses *** for shop")
    assert_failure(host.call("sleep"), "***")
    assert MARKER not in "\n".join(lines(host))
    assert host.wait_for("logging in with ***")["detail"] == "token=***"
    assert host.wait_for("progress")["progress"] == "trying ***"
