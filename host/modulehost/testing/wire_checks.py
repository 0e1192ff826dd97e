"""The checks of the wire: what any module server must do, in whatever language it is written.

A check that depends on another rule than its own first tries it the plain way, and is skipped
when that fails: so a server that breaks one rule fails one check.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import Any, Final

from modulehost.shared.records import OPERATIONS
from modulehost.testing.operator import go_json, read_go_json
from modulehost.testing.target import Broken, Life, Skipped, Target
from modulehost.testing.wire import JSON, Answer, Server, WireError

PROMPT: Final = 5.0
"""Seconds for an answer to a client that has nothing to do with the others."""

PROBE: Final = "modulehostCheck"
"""The key of the metadata that a module cannot know, so must give back."""

_SIMPLE: Final = {"text": "as sent", "number": 1}
_VALUES: Final[dict[str, Any]] = {
    "texts": ["", "\u00fc \u20ac \U0001f600", '<a href="x">&</a>', "\u2028\u2029\t\n\\/", "\x00"],
    "numbers": [0, -1, 2.5, 1e-7, 1e21, 2**53, -(2**53)],
    "others": [True, False, None, [], {}, [[{"a": {"": "empty key"}}]]],
}
_LARGE: Final = 150_000
_RFC3339: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def health(target: Target) -> None:
    answer = target.server.get("/health")
    if answer.status not in (200, 503):
        raise Broken(f"GET /health is answered {answer.reason}, not 200 or 503")
    with contextlib.suppress(ValueError):
        told = answer.json()
        healthy = told.get("healthy") if isinstance(told, dict) else None
        if isinstance(healthy, bool) and healthy != (answer.status == 200):
            raise Broken(f'"healthy" is {json.dumps(healthy)}, but the status is {answer.status}')


def health_form(target: Target) -> None:
    answer = target.server.get("/health")
    if answer.status not in (200, 503):
        raise Skipped(f"GET /health is answered {answer.reason}")
    if not _says(answer, "application/json"):
        raise Broken(f"its Content-Type is {answer.headers['Content-Type']}, not application/json")
    told = _object(answer, "GET /health")
    problems = []
    if not _is_time(told.get("timestamp")):
        problems.append('"timestamp" is no RFC 3339 time')
    uptime = told.get("uptime")
    if isinstance(uptime, bool) or not isinstance(uptime, int | float) or uptime < 0:
        problems.append('"uptime" is no number of seconds')
    if not isinstance(told.get("message"), str):
        problems.append('"message" is no text')
    if not isinstance(told.get("healthy"), bool):
        problems.append('"healthy" is no boolean')
    if problems:
        raise Broken("; ".join(problems))


def unknown_path(target: Target) -> None:
    for method, body in (("GET", None), ("POST", b"{}")):
        answer = target.server.exchange(
            target.server.request("/modulehost-check", body, method=method)
        )
        if answer.status != 404:
            raise Broken(f"{method} /modulehost-check is answered {answer.reason}, not 404")


def wrong_method(target: Target) -> None:
    asked = [("GET", f"/{operation}") for operation in OPERATIONS]
    for method, path in (*asked, ("POST", "/health"), ("DELETE", "/health")):
        answer = target.server.exchange(
            target.server.request(path, None if method == "GET" else b"", method=method)
        )
        if answer.status != 405:
            raise Broken(f"{method} {path} is answered {answer.reason}, not 405")
        if not answer.headers["Allow"]:
            raise Broken(f"{method} {path} is answered 405 without an Allow")


def keep_alive(target: Target) -> None:
    server = target.server
    with server.connect() as connection:
        requests = [
            ("GET /health", server.request("/health")),
            ("a POST that is answered 404", server.request("/modulehost-check", b'{"a": 1}')),
            ("GET /health", server.request("/health")),
        ]
        before = ""
        for what, data in requests:
            connection.send(data)
            try:
                answer = connection.answer()
            except WireError as error:
                if not before:
                    raise
                raise Broken(
                    f"after {before} the connection was not said to end, yet: {error}"
                ) from None
            if before and what == "GET /health" and answer.status not in (200, 503):
                raise Broken(f"after {before} GET /health is answered {answer.reason}")
            if answer.closes:
                return
            before = what


def idle_connection(target: Target) -> None:
    connection, answer = target.idle_connection()
    with connection:
        if answer.closes:
            return
        connection.send(target.server.request("/health"))
        try:
            connection.answer()
        except WireError as error:
            raise Broken(
                f"a connection that was idle for {target.idle:g} s is of no use: {error}; the"
                " operator uses one for 90 s, and a POST that dies on it is lost"
            ) from None


def waiting_connections(target: Target) -> None:
    server = Server(target.server.url, min(target.server.timeout, PROMPT))
    with server.connect() as silent, server.connect() as half, server.connect() as used:
        half.send(b"POST /install HTTP/1.1\r\nHost: ")
        used.send(server.request("/health"))
        try:
            used.answer()
            server.get("/health")
        except WireError as error:
            raise Broken(f"while others hold connections open: {error}") from None
        silent.end()
    target.prepare()  # such a server can have one that is idle while all else goes on


def install(target: Target) -> None:
    target.require_install()
    with _uninstalling(target) as life:
        _expect_status(life.call("install"), 201)


def sleep(target: Target) -> None:
    with target.installed() as life:
        _expect_status(life.call("sleep"), 200)


def resume(target: Target) -> None:
    with target.installed() as life:
        life.must("sleep")
        _expect_status(life.call("resume"), 200)


def uninstall(target: Target) -> None:
    with target.installed() as life:
        _expect_status(life.call("uninstall"), 204)


def uninstall_body(target: Target) -> None:
    with target.installed() as life, life.server.connect() as connection:
        connection.send(life.server.request("/uninstall", life.body()))
        answer = connection.answer()
        if not answer.succeeded:
            raise Skipped(f"uninstall fails: {answer.reason}")
        if answer.body or answer.headers.get("Content-Length", "0") != "0":
            raise Broken("the answer to uninstall has a body")
        if not answer.closes:
            connection.send(life.server.request("/health"))
            try:
                connection.answer()
            except WireError as error:
                raise Broken(
                    f"after the answer to uninstall comes something else: {error}"
                ) from None


def install_echo(target: Target) -> None:
    with target.installed() as life:
        _expect_probe(life.server.post("/install", life.body(**{PROBE: _SIMPLE})), _SIMPLE)


def sleep_echo(target: Target) -> None:
    with target.installed() as life:
        _expect_probe(life.server.post("/sleep", life.body(**{PROBE: _SIMPLE})), _SIMPLE)


def resume_echo(target: Target) -> None:
    with target.installed() as life:
        life.must("sleep")
        _expect_probe(life.server.post("/resume", life.body(**{PROBE: _SIMPLE})), _SIMPLE)


def json_type(target: Target) -> None:
    with _uninstalling(target) as life:
        answer = life.must("install")
        if answer.body and not _says(answer, "application/json"):
            kind = answer.headers["Content-Type"]
            raise Broken(f"the Content-Type of install's answer is {kind}, not application/json")


def values(target: Target) -> None:
    _comes_back(target, lambda life, body: life.server.post("/install", body), _VALUES)


def large(target: Target) -> None:
    value = {"text": "x" * _LARGE}
    _comes_back(target, lambda life, body: life.server.post("/install", body), value)


def content_type(target: Target) -> None:
    for header in ("Content-Type: text/plain", "Accept: */*"):
        _comes_back(target, partial(_post_with, header))


def _post_with(header: str, life: Life, body: bytes) -> Answer:
    return life.server.post("/install", body, header)


def chunked(target: Target) -> None:
    def send(life: Life, body: bytes) -> Answer:
        head = life.server.head("POST", "/install", JSON, "Transfer-Encoding: chunked")
        half = len(body) // 2
        chunks = [b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:half], body[half:])]
        return life.server.exchange(head + b"".join(chunks) + b"0\r\n\r\n")

    _comes_back(target, send)


def pieces(target: Target) -> None:
    def send(life: Life, body: bytes) -> Answer:
        data = life.server.request("/install", body)
        with life.server.connect() as connection:
            for piece in (data[:9], data[9 : -len(body)], data[-len(body) : -1], data[-1:]):
                connection.send(piece)
                time.sleep(0.05)
            return connection.answer()

    _comes_back(target, send)


def empty_body(target: Target) -> None:
    _like_empty(target, lambda server: server.request("/install", b""))
    _like_empty(target, lambda server: server.head("POST", "/install", JSON))


def null_body(target: Target) -> None:
    _like_empty(target, lambda server: server.request("/install", b"null"))


def not_json(target: Target) -> None:
    _refused(target, b"install", b"{", b'{"a": 1} {"a": 1}', b"{'a': 1}")


def not_an_object(target: Target) -> None:
    _refused(target, b"[]", b'"text"', b"3", b"true")


def number_out_of_range(target: Target) -> None:
    _refused(target, b'{"number": 1e999}')


def unfinished_body(target: Target) -> None:
    with _uninstalling(target) as life, life.server.connect() as connection:
        head = life.server.head("POST", "/install", "Content-Length: 100")
        connection.send(head + life.body())
        connection.end()
        try:
            answer = connection.answer()
        except WireError as error:
            if "within" in str(error):
                raise Broken(f"half a body, and the client is gone: {error}") from None
            return  # nobody is there to be answered
        if answer.status != 400:
            raise Broken(f"half a body is answered {answer.reason}, not 400")


def error_form(target: Target) -> None:
    with _uninstalling(target) as life:
        answer = life.server.post("/install", b"{")
    if not 400 <= answer.status < 500:
        raise Skipped(f"what is no JSON is answered {answer.reason}")
    problems = []
    if not _says(answer, "text/plain"):
        problems.append(f"its Content-Type is {answer.headers['Content-Type']}, not text/plain")
    try:
        text = answer.body.decode().strip()
    except UnicodeDecodeError:
        problems.append("it is no UTF-8")
    else:
        if not text:
            problems.append("there is none")
        elif len(text.splitlines()) > 1:
            problems.append("it is more than one line")
    if problems:
        raise Broken(f"the reason of a 400 is what the user reads: {'; '.join(problems)}")


@contextlib.contextmanager
def _uninstalling(target: Target) -> Iterator[Life]:
    """A life that a check itself begins, perhaps; uninstalled at the end."""
    life = Life(target.server, target.first)
    try:
        yield life
    finally:
        with contextlib.suppress(WireError):
            life.call("uninstall")


def _expect_status(answer: Answer, status: int) -> None:
    if answer.status != status:
        raise Broken(f"it is answered {answer.reason}, not {status}")


def _expect_probe(answer: Answer, value: Any) -> None:
    """The answer is metadata, and what was sent is in it."""
    if not answer.succeeded:
        raise Broken(f"it is answered {answer.reason}")
    if not answer.body.strip():
        raise Broken("the answer has no metadata")
    metadata = _object(answer, "the answer")
    if PROBE not in metadata:
        raise Broken("what was sent is not in the answer")
    if go_json({"": metadata[PROBE]}) != go_json({"": value}):
        raise Broken("what was sent is not the same in the answer")


def _comes_back(
    target: Target, send: Callable[[Life, bytes], Answer], value: Any = _SIMPLE
) -> None:
    """What is sent in this way comes back, as it does when it is sent the plain way."""
    with target.installed() as life:
        try:
            _expect_probe(life.server.post("/install", life.body(**{PROBE: _SIMPLE})), _SIMPLE)
        except Broken as error:
            raise Skipped(f"even the plain way: {error}") from None
        _expect_probe(send(life, life.body(**{PROBE: value})), value)


def _like_empty(target: Target, request: Callable[[Server], bytes]) -> None:
    """The request is taken as one with ``{}``."""
    if target.first:
        raise Skipped("the module is given its config in the body")
    with target.installed():
        pass
    with _uninstalling(target) as life:
        answer = life.server.exchange(request(life.server))
        if not answer.succeeded:
            raise Broken(f"it is answered {answer.reason}")
        if answer.body.strip():
            _object(answer, "the answer")


def _refused(target: Target, *bodies: bytes) -> None:
    with _uninstalling(target) as life:
        for body in bodies:
            answer = life.server.post("/install", body)
            if answer.status != 400:
                raise Broken(f"{body.decode()} is answered {answer.reason}, not 400")


def _object(answer: Answer, what: str) -> dict[str, Any]:
    """The JSON object in an answer, as Go reads it."""
    try:
        if answer.body.strip() == b"null":
            raise ValueError("it is null")
        return read_go_json(answer.body)
    except ValueError as error:
        raise Broken(f"{what} is no JSON object: {error}") from None


def _says(answer: Answer, kind: str) -> bool:
    return answer.headers.get("Content-Type", "").partition(";")[0].strip().lower() == kind


def _is_time(value: object) -> bool:
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True
