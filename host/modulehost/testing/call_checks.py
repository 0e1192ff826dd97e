"""The checks of the operations: what any module server must do when they are called."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

from modulehost.testing.operator import go_json
from modulehost.testing.target import Broken, Life, Skipped, Target
from modulehost.testing.wire import JSON, Answer, Server, WireError
from modulehost.testing.wire_checks import json_object, says

PROBE: Final = "modulehostCheck"
"""The key of the metadata that a module cannot know, so must give back."""

_SIMPLE: Final = {"text": "as sent", "number": 1}
_VALUES: Final[dict[str, Any]] = {
    "texts": ["", "\u00fc \u20ac \U0001f600", '<a href="x">&</a>', "\u2028\u2029\t\n\\/", "\x00"],
    "numbers": [0, -1, 2.5, 1e-7, 1e21, 2**53, -(2**53)],
    "others": [True, False, None, [], {}, [[{"a": {"": "empty key"}}]]],
}
_LARGE: Final = 150_000


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
        if answer.body and not says(answer, "application/json"):
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
    if not says(answer, "text/plain"):
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
    metadata = json_object(answer, "the answer")
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
            json_object(answer, "the answer")


def _refused(target: Target, *bodies: bytes) -> None:
    with _uninstalling(target) as life:
        for body in bodies:
            answer = life.server.post("/install", body)
            if answer.status != 400:
                raise Broken(f"{body.decode()} is answered {answer.reason}, not 400")
