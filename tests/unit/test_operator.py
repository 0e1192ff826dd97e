"""The stand-in for the operator: Go's JSON, and what is stored when."""

from __future__ import annotations

import http.server
import math
import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from modulehost.testing import Operator, go_json, read_go_json

# each pair was written down from Go's encoding/json
NUMBERS = [
    (0.0, "0"),
    (-0.0, "-0"),
    (3.0, "3"),
    (-2.5, "-2.5"),
    (0.1, "0.1"),
    (1e-6, "0.000001"),
    (1e-7, "1e-7"),
    (1.5e-7, "1.5e-7"),
    (1.5e-10, "1.5e-10"),
    (5e-324, "5e-324"),
    (1e20, "100000000000000000000"),
    (1e21, "1e+21"),
    (1.5e300, "1.5e+300"),
    (123456789.125, "123456789.125"),
    (2.0**53 + 2, "9007199254740994"),
    (1.7976931348623157e308, "1.7976931348623157e+308"),
]


@pytest.mark.parametrize(("value", "text"), NUMBERS)
def test_numbers_are_written_as_go_does(value: float, text: str) -> None:
    """No fraction for whole numbers, an exponent only below 1e-6 and from 1e21."""
    assert go_json({"n": value}) == f'{{"n":{text}}}'
    back = read_go_json(f'{{"n":{text}}}'.encode())["n"]
    assert (back, math.copysign(1, back)) == (value, math.copysign(1, value))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("<a & b>", r"\u003ca \u0026 b\u003e"),
        ("\u2028\u2029", r"\u2028\u2029"),
        ("\b\f\n\r\t\x01\x7f", "\\b\\f\\n\\r\\t\\u0001\x7f"),
        ("\u00e9 \U0001f600", "\u00e9 \U0001f600"),
        ('"\\/', r"\"\\/"),
        ("\ud800", "\ufffd"),
    ],
)
def test_texts_are_written_as_go_does(value: str, text: str) -> None:
    """HTML's characters and two separators are escaped, the rest is UTF-8."""
    assert go_json({"t": value}) == f'{{"t":"{text}"}}'


def test_keys_are_sorted_at_every_level() -> None:
    """As Go writes a map."""
    value = {"b": {"z": None, "a": True}, "B": [{"y": False, "x": []}], "\u00e9": {}}
    assert go_json(value) == '{"B":[{"x":[],"y":false}],"b":{"a":true,"z":null},"\u00e9":{}}'


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'{"n": 9007199254740993}', {"n": 9007199254740992.0}),
        (b'{"a": 1, "a": 2}', {"a": 2.0}),
        (b'{"t": "\\ud83d\\ude00 \\ud83d x"}', {"t": "\U0001f600 \ufffd x"}),
        (b'{"t": "\xff \xe2\x82 \xed\xa0\x80"}', {"t": "\ufffd \ufffd\ufffd \ufffd\ufffd\ufffd"}),
        (b'{"\xff": 1}', {"\ufffd": 1.0}),
        (b"null", {}),
        (b" {} \n", {}),
    ],
)
def test_objects_are_read_as_go_does(text: bytes, value: dict[str, Any]) -> None:
    """Every number is a float, the last of equal keys wins, bad bytes become U+FFFD each."""
    assert read_go_json(text) == value


@pytest.mark.parametrize(
    "text",
    [b"[]", b"3", b'"x"', b'{"n": NaN}', b'{"n": -Infinity}', b'{"n": 1e400}', b"{} {}", b"{"],
)
def test_what_go_does_not_read_is_refused(text: bytes) -> None:
    """ValueError, which makes a success of the module a failure of the operator."""
    with pytest.raises(ValueError, match=r"\w"):
        read_go_json(text)


class Module(http.server.BaseHTTPRequestHandler):
    """Answers what the test has laid out, and notes what it was sent."""

    protocol_version = "HTTP/1.1"
    answers: ClassVar[list[tuple[int, bytes]]] = []
    requests: ClassVar[list[tuple[str, str, bytes, int]]] = []

    def do_POST(self) -> None:
        """Answer."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.requests.append((self.path, self.headers["Host"], body, self.client_address[1]))
        status, answer = self.answers.pop(0)
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def operator() -> Iterator[Operator]:
    """An operator whose module answers as ``Module.answers`` says."""
    Module.answers.clear()
    Module.requests.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Module) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        with Operator(server.server_port, name="shop") as operator:
            yield operator
        server.shutdown()
        thread.join()


def test_a_success_is_stored_and_sent_again(operator: Operator) -> None:
    """As Go writes it, on the same connection, with the Host of the module's Service."""
    Module.answers += [(201, b'{"n": 3.0, "t": "<"}'), (200, b"")]
    outcome = operator.call("install")
    assert outcome == (201, '{"n": 3.0, "t": "<"}', True, True, "")
    assert operator.metadata == {"n": 3.0, "t": "<"}
    assert operator.call("sleep").succeeded
    (path, host, body, client), (_, _, again, same_client) = Module.requests
    assert (path, host) == ("/install", "shop.forkspacer-system.svc.cluster.local")
    assert (body, again) == (b"{}", rb'{"n":3,"t":"\u003c"}')
    assert client == same_client


@pytest.mark.parametrize(
    ("status", "body", "event"),
    [
        (400, b"no room\n", "custom module sleep endpoint returned error: no room\n"),
        (500, b"{}", "received unexpected status code 500, expected 200/400"),
        (201, b"{}", "received unexpected status code 201, expected 200/400"),
    ],
)
def test_a_failure_is_an_event_and_not_stored(
    operator: Operator, status: int, body: bytes, event: str
) -> None:
    """The text of a 400 is shown to the user, that of any other status is thrown away."""
    operator.edit({"old": True})
    Module.answers += [(status, body)]
    outcome = operator.call("sleep")
    assert (outcome.status, outcome.succeeded, outcome.stored) == (status, False, False)
    assert operator.events == [event]
    assert operator.metadata == {"old": True}


@pytest.mark.parametrize("answer", [b"{}", b"null", b""])
def test_an_empty_answer_replaces_nothing(operator: Operator, answer: bytes) -> None:
    """Clearing the metadata does not clear it."""
    operator.edit({"old": True})
    Module.answers += [(200, answer)]
    outcome = operator.call("resume")
    assert (outcome.succeeded, outcome.stored) == (True, False)
    assert operator.metadata == {"old": True}


def test_what_cannot_be_read_is_a_failure(operator: Operator) -> None:
    """Although the module takes it for a success."""
    Module.answers += [(201, b'{"n": NaN}')]
    assert not operator.call("install").succeeded
    assert operator.metadata == {}


@pytest.mark.parametrize(("size", "stored"), [(261_900, True), (262_000, False)])
def test_what_is_too_large_is_lost_in_silence(operator: Operator, size: int, stored: bool) -> None:
    """All annotations together may take 262,144 bytes; the operator goes on as if it were well."""
    Module.answers += [(201, b'{"t": "%b"}' % (b"x" * size))]
    outcome = operator.call("install")
    assert (outcome.succeeded, outcome.stored) == (True, stored)
    assert not operator.events


def test_losses_can_be_arranged(operator: Operator) -> None:
    """An answer that is not read, a cluster that stores nothing, an operator that ends."""
    Module.answers += [(201, b'{"a": 1}'), (201, b'{"b": 1}'), (201, b'{"c": 1}')]
    assert operator.call("install", loses_answer=True).status is None
    outcome = operator.call("install", cannot_store=True)
    assert (outcome.succeeded, outcome.stored) == (True, False)
    assert operator.metadata == {}
    assert operator.call("install", hangs_up_after=10).stored
    assert operator.metadata == {"c": 1}
    assert [body for _, _, body, _ in Module.requests] == [b"{}"] * 3


def test_nobody_there_is_an_event() -> None:
    """A call that cannot be made fails like any other."""
    with Operator(1) as operator:
        outcome = operator.call("install")
    assert (outcome.status, outcome.succeeded) == (None, False)
    url = "http://module.forkspacer-system.svc.cluster.local:80/install"
    refused = "dial tcp 127.0.0.1:1: connect: connection refused"
    assert operator.events == [f'Post "{url}": {refused}']
