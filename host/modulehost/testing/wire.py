"""HTTP as bytes: requests that no library would send, and answers as they came."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import socket
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Final, NamedTuple, Self
from urllib.parse import urlsplit

JSON: Final = "Content-Type: application/json"
_BODILESS: Final = (204, 304)


class WireError(Exception):
    """There was no answer, or what came is no HTTP."""


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes
    closes: bool
    """Whether it says that the connection ends with it."""

    @property
    def succeeded(self) -> bool:
        """Whether it is a success of whatever status."""
        return 200 <= self.status < 300

    @property
    def reason(self) -> str:
        """Status and body, short enough for a line."""
        text = " ".join(self.body.decode(errors="replace").split())
        return f"{self.status} {text[:200]}".rstrip()

    def json(self) -> Any:
        """The body as JSON; raises ValueError."""
        try:
            return json.loads(self.body.decode())
        except RecursionError:
            raise ValueError("it is nested too deeply") from None


class Connection:
    """One connection. What is sent after the server has closed it is lost without an error."""

    def __init__(self, server: Server) -> None:
        self._timeout = server.timeout
        try:
            self.socket = socket.create_connection((server.host, server.port), server.timeout)
        except OSError as error:
            raise WireError(f"no connection: {error.strerror or error}") from None
        self._file: io.BufferedReader = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close it."""
        self._file.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send it."""
        with contextlib.suppress(OSError):
            self.socket.sendall(data)

    def end(self) -> None:
        """Say that nothing more will be sent."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def answer(self) -> Answer:
        """The next answer; raises WireError when none comes."""
        try:
            return self._read()
        except TimeoutError:
            raise WireError(f"no answer within {self._timeout:g} s") from None
        except (http.client.HTTPException, ValueError) as error:
            raise WireError(f"what came is no HTTP: {error!r}") from None
        except OSError as error:
            raise WireError(f"the connection broke: {error.strerror or error}") from None

    def _read(self) -> Answer:
        status = 100
        while status == 100:
            line = self._file.readline(65536)
            if not line:
                raise WireError("the connection was closed without an answer")
            protocol, number, *_ = [*line.split(maxsplit=2), b"", b""]
            if not protocol.startswith(b"HTTP/1.") or not number.isdigit():
                raise WireError(f"what came is no HTTP: {line[:60]!r}")
            status = int(number)
            headers = http.client.parse_headers(self._file)
        connection = headers.get("Connection", "").lower()
        closes = "close" in connection or (protocol == b"HTTP/1.0" and "keep" not in connection)
        if status in _BODILESS:
            return Answer(status, headers, b"", closes)
        if "chunked" in headers.get("Transfer-Encoding", "").lower():
            return Answer(status, headers, b"".join(self._chunks()), closes)
        length = headers.get("Content-Length")
        if length is None:
            return Answer(status, headers, self._file.read(), closes=True)
        body = self._file.read(int(length))
        if len(body) < int(length):
            raise WireError(f"the answer ended after {len(body)} of {length} bytes")
        return Answer(status, headers, body, closes)

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self._file.readline().split(b";")[0], 16):
            yield self._file.read(size)
            self._file.readline()
        while self._file.readline().strip():
            pass


class Server:
    """A module server at a URL: whatever speaks plain HTTP there."""

    def __init__(self, url: str, timeout: float = 60.0) -> None:
        """Raises ValueError, with the cure, for what is no such URL."""
        parts = urlsplit(url)
        if parts.scheme != "http":
            raise ValueError(f"{url}: the operator speaks plain http; give http://HOST:PORT")
        if not parts.hostname or parts.path not in ("", "/") or parts.query or parts.fragment:
            raise ValueError(f"{url}: the endpoints are at the root; give http://HOST:PORT")
        self.url = url
        self.host = parts.hostname
        self.port = parts.port or 80
        self.timeout = timeout
        self.name = parts.netloc.rpartition("@")[2]

    def connect(self) -> Connection:
        """A new connection; raises WireError."""
        return Connection(self)

    def head(self, method: str, path: str, *headers: str) -> bytes:
        """A request's head."""
        return "\r\n".join(
            [f"{method} {path} HTTP/1.1", f"Host: {self.name}", *headers, "", ""]
        ).encode()

    def request(
        self, path: str, body: bytes | None = None, *headers: str, method: str | None = None
    ) -> bytes:
        """A whole request: a POST when there is a body, and as JSON unless headers are given."""
        if body is None:
            return self.head(method or "GET", path, *headers)
        given = headers or (JSON,)
        return self.head(method or "POST", path, f"Content-Length: {len(body)}", *given) + body

    def exchange(self, data: bytes) -> Answer:
        """A request on a connection of its own, and its answer; raises WireError."""
        with self.connect() as connection:
            connection.send(data)
            return connection.answer()

    def get(self, path: str) -> Answer:
        """A question; raises WireError."""
        return self.exchange(self.request(path))

    def post(self, path: str, body: bytes, *headers: str) -> Answer:
        """A call; raises WireError."""
        return self.exchange(self.request(path, body, *headers))
