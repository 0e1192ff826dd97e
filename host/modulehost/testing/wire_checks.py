"""The checks of the wire: what any module server must do before one of its operations is called.

A check that depends on another rule than its own first tries it the plain way, and is skipped
when that fails: so a server that breaks one rule fails one check.
"""

from __future__ import annotations

import contextlib
import json
import re
from datetime import datetime
from typing import Any, Final

from modulehost.shared.records import OPERATIONS
from modulehost.testing.operator import read_go_json
from modulehost.testing.target import Broken, Skipped, Target
from modulehost.testing.wire import Answer, Server, WireError

PROMPT: Final = 5.0
"""Seconds for an answer to a client that has nothing to do with the others."""

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
    if not says(answer, "application/json"):
        raise Broken(f"its Content-Type is {answer.headers['Content-Type']}, not application/json")
    told = json_object(answer, "GET /health")
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


def json_object(answer: Answer, what: str) -> dict[str, Any]:
    """The JSON object in an answer, as Go reads it."""
    try:
        if answer.body.strip() == b"null":
            raise ValueError("it is null")
        return read_go_json(answer.body)
    except ValueError as error:
        raise Broken(f"{what} is no JSON object: {error}") from None


def says(answer: Answer, kind: str) -> bool:
    return answer.headers.get("Content-Type", "").partition(";")[0].strip().lower() == kind


def _is_time(value: object) -> bool:
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True
