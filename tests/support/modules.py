"""Module servers made by hand: a good one, and one for each rule that breaks it and no other."""

from __future__ import annotations

import contextlib
import http.server
import json
import math
import threading
import time
from collections.abc import Iterator
from typing import Any, ClassVar


class Good(http.server.BaseHTTPRequestHandler):
    """Keeps the contract; its module does nothing."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    threads: ClassVar[bool] = True
    statuses: ClassVar[dict[str, int]] = {
        "install": 201, "uninstall": 204, "sleep": 200, "resume": 200,
    }  # fmt: skip

    def do_GET(self) -> None:
        self.route()

    def do_POST(self) -> None:
        self.route()

    def do_DELETE(self) -> None:
        self.route()

    def route(self) -> None:
        """Answer any request."""
        name = self.path[1:]
        if name not in (*self.statuses, "health"):
            self.unknown()
            return
        body = self.body()
        if self.command != ("GET" if name == "health" else "POST"):
            self.wrong_method(name)
        elif name == "health":
            self.reply(*self.health())
        else:
            try:
                metadata = self.parse(body)
            except ValueError as error:
                self.refuse(str(error))
            else:
                self.succeed(name, metadata)

    def unknown(self) -> None:
        """Answer another path."""
        self.body()
        self.reply(404, b"not found\n")

    def wrong_method(self, name: str) -> None:
        """Answer another method."""
        self.reply(405, b"method not allowed\n", Allow="GET" if name == "health" else "POST")

    def health(self) -> tuple[int, bytes, str]:
        """Status, body and type of the health."""
        told = {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "uptime": 1.5,
            "message": "fine",
            "healthy": True,
        }
        return 200, json.dumps(told).encode(), "application/json"

    def body(self) -> bytes | None:
        """The body of the request; None when it is shorter than announced."""
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            return self.chunks()
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        return body if len(body) == length else None

    def chunks(self) -> bytes:
        """A chunked body."""
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def parse(self, body: bytes | None) -> Any:
        """The metadata; raises ValueError."""
        if body is None:
            raise ValueError("the body is cut off")
        value = self.decode(body) if body else {}
        if not isinstance(value, dict | None):
            value = self.no_object()
        return value or {}

    def decode(self, body: bytes) -> Any:
        """The JSON."""
        return json.loads(body, parse_float=self.number)

    def number(self, text: str) -> float:
        """A number with a fraction or an exponent."""
        if math.isinf(float(text)):
            raise ValueError("a number is out of range")
        return float(text)

    def no_object(self) -> Any:
        """What stands for JSON that is no object."""
        raise ValueError("the body is no object")

    def refuse(self, reason: str) -> None:
        """Answer a failure."""
        self.reply(400, f"{reason}\n".encode())

    def succeed(self, name: str, metadata: Any) -> None:
        """Answer a success."""
        if name == "uninstall":
            self.reply(self.statuses[name])
        else:
            self.reply(self.statuses[name], json.dumps(metadata).encode(), "application/json")

    def reply(
        self, status: int, body: bytes = b"", kind: str = "text/plain", **headers: str
    ) -> None:
        """Answer."""
        self.send_response(status)
        if status != 204 or body:
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", kind)
        for header, value in headers.items():
            self.send_header(header, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class OldProtocol(Good):
    """Good, too: each connection ends with its answer."""

    protocol_version = "HTTP/1.0"


class SaysItIsUnwell(Good):
    def health(self) -> tuple[int, bytes, str]:
        _, body, kind = super().health()
        return 200, body.replace(b"true", b"false"), kind


class TellsSeconds(Good):
    def health(self) -> tuple[int, bytes, str]:
        status, body, kind = super().health()
        return status, json.dumps({**json.loads(body), "timestamp": 1.5}).encode(), kind


class KnowsAllPaths(Good):
    def unknown(self) -> None:
        self.body()
        self.reply(200, b"welcome\n")


class KnowsNoMethods(Good):
    def wrong_method(self, name: str) -> None:
        self.reply(404, b"not found\n")


class LeavesBodiesUnread(Good):
    def unknown(self) -> None:
        self.reply(404, b"not found\n")


class ServesOneAtATime(Good):
    threads = False


class InstallsWith200(Good):
    statuses: ClassVar[dict[str, int]] = {**Good.statuses, "install": 200}


class SleepsWith202(Good):
    statuses: ClassVar[dict[str, int]] = {**Good.statuses, "sleep": 202}


class ResumesWith201(Good):
    statuses: ClassVar[dict[str, int]] = {**Good.statuses, "resume": 201}


class UninstallsWith200(Good):
    statuses: ClassVar[dict[str, int]] = {**Good.statuses, "uninstall": 200}


class SaysGoodbye(Good):
    def succeed(self, name: str, metadata: Any) -> None:
        if name == "uninstall":
            self.reply(204, b"goodbye")
        else:
            super().succeed(name, metadata)


class _ForgetsIn(Good):
    operation = ""
    answer: ClassVar[Any] = None

    def succeed(self, name: str, metadata: Any) -> None:
        super().succeed(name, self.answer if name == self.operation else metadata)


class ForgetsInInstall(_ForgetsIn):
    operation = "install"
    answer: ClassVar[Any] = {"status": "installed"}


class ForgetsInSleep(_ForgetsIn):
    operation = "sleep"
    answer: ClassVar[Any] = {}


class ForgetsInResume(_ForgetsIn):
    operation = "resume"
    answer: ClassVar[Any] = "resumed"


class AnswersText(Good):
    def reply(
        self, status: int, body: bytes = b"", kind: str = "text/plain", **headers: str
    ) -> None:
        is_metadata = self.path != "/health" and kind == "application/json"
        super().reply(status, body, "text/html" if is_metadata else kind, **headers)


class SpeaksAscii(Good):
    def decode(self, body: bytes) -> Any:
        return json.loads(body.decode("ascii", "ignore"), parse_float=self.number)


class TakesOnlySmallBodies(Good):
    def parse(self, body: bytes | None) -> Any:
        if body is not None and len(body) > 100_000:
            raise ValueError("the body is too large")
        return super().parse(body)


class NeedsABody(Good):
    def parse(self, body: bytes | None) -> Any:
        return super().parse(body or b"?")


class AnswersNull(Good):
    def parse(self, body: bytes | None) -> Any:
        return None if body == b"null" else super().parse(body)


class InsistsOnTheContentType(Good):
    def parse(self, body: bytes | None) -> Any:
        if self.headers["Content-Type"] != "application/json":
            raise ValueError("send JSON")
        return super().parse(body)


class KnowsNoChunks(Good):
    def chunks(self) -> bytes:
        self.close_connection = True
        return b""


class ReadsOnce(Good):
    def body(self) -> bytes | None:
        length = int(self.headers.get("Content-Length", 0))
        if not 0 < length < 1000:
            return super().body()
        body = self.rfile.read1(length)
        return body if len(body) == length else None


class TakesWhatIsNoJson(Good):
    def decode(self, body: bytes) -> Any:
        try:
            return super().decode(body)
        except json.JSONDecodeError:
            return {}


class TakesLists(Good):
    def no_object(self) -> Any:
        return {}


class TakesInfinity(Good):
    def number(self, text: str) -> float:
        return float(text)


class TakesHalfABody(Good):
    def body(self) -> bytes | None:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            return super().body()
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))


class RefusesInHtml(Good):
    def refuse(self, reason: str) -> None:
        self.reply(400, f"<h1>{reason}</h1>".encode(), "text/html")


class HangsUp(Good):
    timeout = 1.0


BAD: dict[str, type[Good]] = {
    "health": SaysItIsUnwell,
    "health-form": TellsSeconds,
    "unknown-path": KnowsAllPaths,
    "wrong-method": KnowsNoMethods,
    "keep-alive": LeavesBodiesUnread,
    "waiting-connections": ServesOneAtATime,
    "install": InstallsWith200,
    "sleep": SleepsWith202,
    "resume": ResumesWith201,
    "uninstall": UninstallsWith200,
    "uninstall-body": SaysGoodbye,
    "install-echo": ForgetsInInstall,
    "sleep-echo": ForgetsInSleep,
    "resume-echo": ForgetsInResume,
    "json-type": AnswersText,
    "values": SpeaksAscii,
    "large-body": TakesOnlySmallBodies,
    "empty-body": NeedsABody,
    "null-body": AnswersNull,
    "content-type": InsistsOnTheContentType,
    "chunked-body": KnowsNoChunks,
    "pieces": ReadsOnce,
    "not-json": TakesWhatIsNoJson,
    "not-an-object": TakesLists,
    "number-out-of-range": TakesInfinity,
    "unfinished-body": TakesHalfABody,
    "error-form": RefusesInHtml,
    "idle-connection": HangsUp,
}
"""The check that each of them fails."""


@contextlib.contextmanager
def serving(module: type[Good]) -> Iterator[str]:
    """The URL of such a server."""
    kind = http.server.ThreadingHTTPServer if module.threads else http.server.HTTPServer
    with kind(("127.0.0.1", 0), module) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
