"""docs/openapi.yaml says what the host does: every answer is one that it describes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator, FormatChecker
from support.faults import calling, is_running
from support.host import Host, Reply, StartHost
from support.wire import Wire, exchange, head

import modulehost
from modulehost.shared.records import OPERATIONS
from modulehost.testing.operator import SUCCESS

PATH = Path(__file__).parents[2] / "docs" / "openapi.yaml"
DOCUMENT: dict[str, Any] = yaml.safe_load(PATH.read_text())


def resolve(node: dict[str, Any]) -> dict[str, Any]:
    """What a reference of the document leads to."""
    while "$ref" in node:
        target: Any = DOCUMENT
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def described(method: str, path: str, reply: Reply) -> None:
    """The document has this answer: status, content type, and the schema of its body."""
    responses = DOCUMENT["paths"][path][method]["responses"]
    assert str(reply.status) in responses, reply.status
    content = resolve(responses[str(reply.status)]).get("content")
    if content is None:
        assert reply.body == b""
        assert "Content-Type" not in reply.headers
        return
    assert reply.headers["Content-Type"] in content
    kind = reply.headers["Content-Type"]
    schema = {**content[kind]["schema"], "components": DOCUMENT["components"]}
    value = reply.json if kind == "application/json" else reply.text
    Draft202012Validator(schema, format_checker=FormatChecker()).validate(value)


def test_it_is_about_this_version() -> None:
    """Its version is the package's."""
    assert DOCUMENT["info"]["version"] == modulehost.__version__


def test_its_schemas_are_schemas() -> None:
    """And each reference leads somewhere."""
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    references = [line.split('"')[1] for line in PATH.read_text().splitlines() if "$ref" in line]
    assert references
    for reference in references:
        resolve({"$ref": reference})


def test_the_first_status_is_the_operators_success() -> None:
    """The five calls and no other; what the operator takes for a success comes first."""
    assert set(DOCUMENT["paths"]) == {"/health", *(f"/{name}" for name in OPERATIONS)}
    for name, status in SUCCESS.items():
        [(method, call)] = DOCUMENT["paths"][f"/{name}"].items()
        assert (method, call["operationId"]) == ("post", name)
        assert [*call["responses"]] == [str(status), "400"]


@pytest.mark.parametrize("body", [None, b"null", b"{}", b'{"a": [1, 2.5, "\\u2028", null]}'])
def test_successes_are_described(host: Host, body: bytes | None) -> None:
    """A whole life with each kind of body."""
    for operation in ("install", "sleep", "resume", "uninstall"):
        reply = host.request("POST", f"/{operation}", body)
        assert reply.status == SUCCESS[operation]
        described("post", f"/{operation}", reply)
    described("get", "/health", host.health())


@pytest.mark.parametrize("operation", OPERATIONS)
def test_failures_are_described(start_host: StartHost, operation: str) -> None:
    """A body that is none, a plugin that refuses, at length too, and one that is out of order."""
    host = start_host("obedient")
    bodies: list[bytes] = [
        b"[]",
        b"{",
        b'{"fail": "no"}',
        b'{"fail": "%b\\n\\ttoo"}' % (b"x" * 3000),
    ]
    for body in bodies:
        reply = host.request("POST", f"/{operation}", body)
        assert reply.status == 400
        described("post", f"/{operation}", reply)


def test_a_host_that_cannot_serve_is_described(start_host: StartHost) -> None:
    """503 with the reason, and 400 to a call."""
    host = start_host("raises_on_import")
    reply = host.health()
    assert reply.status == 503
    described("get", "/health", reply)
    reply = host.call("install", {})
    assert reply.status == 400
    described("post", "/install", reply)


def test_health_during_an_operation_is_described(start_host: StartHost) -> None:
    """200, with what is running."""
    host = start_host("blocks_in_read", MODULE_DEADLINE=1, MODULE_GRACE=0.5)
    future = calling(host, "install", {})
    is_running(host)
    described("get", "/health", host.health())
    described("post", "/install", future.result())


def test_what_is_no_http_is_described(host: Host) -> None:
    """A bad request has the form of every failure, for health too."""
    reply = exchange(host, head("GET", "/health", "bad header"))
    assert reply.status == 400
    described("get", "/health", reply)


@pytest.mark.parametrize("path", DOCUMENT["paths"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
def test_methods_that_are_not_described_are_not_served(host: Host, path: str, method: str) -> None:
    """405 with Allow: what is described, and HEAD where GET is."""
    allowed = {name.upper() for name in DOCUMENT["paths"][path]}
    allowed |= {"HEAD"} if "GET" in allowed else set()
    with Wire(host, head(method, path, "Content-Length: 0")) as wire:
        reply = wire.answer(method)
    if method in allowed:
        assert reply.status < 300
    else:
        assert reply.status == 405
        assert set(reply.headers["Allow"].split(", ")) == allowed
