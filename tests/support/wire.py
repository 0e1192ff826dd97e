"""HTTP as bytes: requests that no library would send, and answers as they came."""

from __future__ import annotations

import contextlib
import http.client
import socket
from types import TracebackType
from typing import BinaryIO, Self

from support.host import Host, Reply

TEXT = "text/plain; charset=utf-8"
LONGEST_REASON = 1000


def head(method: str, path: str, *headers: str, version: str = "1.1") -> bytes:
    """A request's head, with a Host that names no module."""
    lines = [f"{method} {path} HTTP/{version}", "Host: localhost", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1")


def post(path: str, body: bytes = b"", *headers: str, length: int | None = None) -> bytes:
    """A whole POST; ``length`` is what it announces in place of the truth."""
    announced = len(body) if length is None else length
    return head("POST", path, f"Content-Length: {announced}", *headers) + body


def chunked(path: str, *chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    """A POST whose body is the chunks, as they are, and the end."""
    return head("POST", path, "Transfer-Encoding: chunked") + b"".join(chunks) + end


def chunk(data: bytes) -> bytes:
    """A chunk as it should be."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class Wire:
    """One connection. What a test sends after the host has closed it is lost without an error."""

    def __init__(self, host: Host, data: bytes = b"", timeout: float = 10.0) -> None:
        self.socket = host.connect(timeout)
        self._file: BinaryIO = self.socket.makefile("rb")
        self.send(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._file.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send it."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data)

    def end(self) -> None:
        """Say that nothing more will be sent."""
        with contextlib.suppress(OSError):  # the host has closed the connection already
            self.socket.shutdown(socket.SHUT_WR)

    def reply(self, method: str = "POST") -> Reply | None:
        """The next answer, interim ones too; None when the host has closed the connection."""
        try:
            line = self._file.readline()
            if not line:
                return None
            assert line.endswith(b"\r\n"), f"half a status line: {line!r}"
            status = int(line.split()[1])
            headers = http.client.parse_headers(self._file)
            bodiless = method == "HEAD" or status in (100, 204)
            size = 0 if bodiless else int(headers["Content-Length"])
            body = self._file.read(size)
        except ConnectionResetError:
            return None
        assert len(body) == size, f"half a body: {body!r}"
        return Reply(status, headers, body)

    def answer(self, method: str = "POST") -> Reply:
        """The next answer; it must come."""
        reply = self.reply(method)
        assert reply is not None, "the host closed the connection without an answer"
        return reply

    def closed(self) -> bool:
        """Whether the host closes the connection without another byte."""
        try:
            return self._file.read(1) == b""
        except ConnectionResetError:
            return True


def exchange(host: Host, data: bytes, method: str = "POST") -> Reply:
    """One request as bytes on a connection of its own, and its answer."""
    with Wire(host, data) as wire:
        return wire.answer(method)


def assert_failure(reply: Reply, *words: str) -> None:
    """The form of every failure of a lifecycle call: 400, text, one line; and that it says why."""
    assert reply.status == 400
    assert reply.headers["Content-Type"] == TEXT
    reason, newline, rest = reply.text.partition("\n")
    assert (newline, rest) == ("\n", "")
    assert reason.isprintable()
    assert 0 < len(reason) <= LONGEST_REASON
    for word in words:
        assert word in reason


def operations(host: Host) -> int:
    """How many calls have reached the plugin."""
    refused = [e for e in host.events("operation finished") if e["outcome"] == "refused"]
    return len(host.events("operation started")) - len(refused)
