"""The Flask application: five thin views, and one table from an error to its answer."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from typing import Final

import msgspec
from flask import Flask, Response, request
from gunicorn.http.errors import NoMoreData
from werkzeug.exceptions import BadHost, HTTPException, MethodNotAllowed, NotFound

from modulehost.front.answer import Answer
from modulehost.front.clients import Client
from modulehost.front.operations import Operations, Request
from modulehost.front.worker import what_is_wrong
from modulehost.shared.errors import HostError, OperationError, RequestError, one_line
from modulehost.shared.logs import format_error
from modulehost.shared.records import OPERATIONS, OperationName

STATUS: Final[dict[OperationName, int]] = {
    "install": 201,
    "uninstall": 204,
    "sleep": 200,
    "resume": 200,
}
"""What the operator takes for a success; anything else is a failure to it."""

_TEXT: Final = "text/plain; charset=utf-8"
_REQUEST_ID: Final = re.compile(r"[\w.:/+=-]{1,128}", re.ASCII)
_MODULE: Final = re.compile(r"([a-z0-9-]+)\.([a-z0-9-]+)\.svc(?:\.[a-z0-9.-]+)?(?::\d+)?", re.I)
_STEP: Final = 1 << 16


def create_app(operations: Operations, started: float) -> Flask:
    """The application; ``started`` is the host's start on the monotonic clock."""
    app = Flask("modulehost", static_folder=None)
    app.url_map.merge_slashes = False

    def health() -> Response:
        healthy, message = operations.health()
        body = {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "uptime": time.monotonic() - started,
            "message": message,
            "healthy": healthy,
        }
        return Response(
            msgspec.json.encode(body) + b"\n",
            200 if healthy else 503,
            content_type="application/json",
        )

    def operate(operation: OperationName) -> Response:
        client = _client()
        answer = operations.call(
            Request(
                operation,
                _request_id(),
                read_body(operations.settings.max_body),
                _module(request.headers.get("Host", "")),
                None if client is None else client.fileno(),
            )
        )
        if operation == "uninstall":
            response = Response(_deliver(b"", answer, client), STATUS[operation])
            del response.headers["Content-Type"]
        else:
            body = answer.metadata + b"\n"
            headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
            response = Response(_deliver(body, answer, client), STATUS[operation], headers)
        response.call_on_close(answer.close)
        return response

    def refuse(error: HostError) -> Response:
        if not isinstance(error, OperationError):
            operations.log.event(
                "warning",
                "call refused",
                path=request.path,
                request_id=_request_id(),
                reason=str(error),
            )
        return Response(f"{error}\n", 400, content_type=_TEXT)

    def fail(error: Exception) -> Response:
        operations.log.event(
            "error", "the host failed", path=request.path, exception=format_error(error)
        )
        status = 503 if request.path == "/health" else 400
        return Response(
            f"the host failed: {type(error).__name__}; see its log\n", status, content_type=_TEXT
        )

    def only_as_written() -> None:
        if request.environ["PATH_INFO"].startswith("//"):  # werkzeug would take it for one slash
            raise NotFound

    def not_served(error: HTTPException) -> Response:
        if isinstance(error, BadHost):
            host = one_line(request.headers.get("Host", ""), 100)
            return Response(
                f"the Host {host!r} is no name and no address\n", 400, content_type=_TEXT
            )
        response = Response(f"{error.name.lower()}\n", error.code, content_type=_TEXT)
        if isinstance(error, MethodNotAllowed):
            response.allow.update(error.valid_methods or ())
        return response

    app.add_url_rule("/health", None, health, methods=["GET"], provide_automatic_options=False)
    for name in OPERATIONS:
        app.add_url_rule(
            f"/{name}",
            name,
            operate,
            methods=["POST"],
            defaults={"operation": name},
            provide_automatic_options=False,
        )
    app.before_request(only_as_written)
    app.register_error_handler(HostError, refuse)
    app.register_error_handler(HTTPException, not_served)
    app.register_error_handler(Exception, fail)
    return app


def read_body(limit: int) -> bytes:
    """The whole body of the request. Raises RequestError when it is too long or too short."""
    announced = request.content_length
    if announced is not None and announced > limit:
        raise RequestError(_too_large(limit))
    stream = request.environ["wsgi.input"]
    parts: list[bytes] = []
    size = 0
    try:
        while size <= limit and (data := stream.read(announced or _STEP)):
            parts.append(data)
            size += len(data)
    except NoMoreData:
        raise RequestError("the body ended before its last chunk") from None
    except Exception as error:  # noqa: BLE001 - gunicorn has many for a bad body
        raise RequestError(f"the body could not be read: {what_is_wrong(error)}") from None
    if size > limit:
        raise RequestError(_too_large(limit))
    if announced is not None and size < announced:
        raise RequestError(f"the body ended after {size} of {announced} bytes")
    if (client := _client()) is not None:
        client.has_sent()
    return b"".join(parts)


def _too_large(limit: int) -> str:
    return f"the body is larger than the {limit} bytes of MODULE_MAX_BODY"


def _request_id() -> str:
    """The client's, or one of ours: the same in all log lines of the call."""
    environ = request.environ
    if "modulehost.request_id" not in environ:
        given = request.headers.get("X-Request-Id", "")
        environ["modulehost.request_id"] = (
            given if _REQUEST_ID.fullmatch(given) else os.urandom(8).hex()
        )
    return str(environ["modulehost.request_id"])


def _module(host: str) -> str | None:
    """The module that an in-cluster Host names, as NAME.NAMESPACE; None for any other Host."""
    match = _MODULE.fullmatch(host)
    return f"{match[1]}.{match[2]}".lower() if match else None


def _client() -> Client | None:
    """The client, where the server tells of it."""
    client: Client | None = request.environ.get(Client.KEY)
    return client


def _deliver(body: bytes, answer: Answer, client: Client | None) -> Iterator[bytes]:
    """The body as a stream: the server asks for more only when the first piece is out."""
    yield body
    answer.written()
    if client is not None:
        client.is_answered()
    answer.delivered()
