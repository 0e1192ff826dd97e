"""A client that costs little itself: http.client would take as long as what is measured."""

from __future__ import annotations

import itertools
import json
import socket
import time
from collections.abc import Callable
from typing import Self

PATIENCE = 30.0  # s
HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
JSON = "Content-Type: application/json\r\n"
_numbers = itertools.count(1)


class Connection:
    """A kept connection to a server on this machine; reads what the servers here write."""

    def __init__(self, port: int, patience: float = PATIENCE) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), patience)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.body = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, request: bytes) -> None:
        """Send a request without waiting for its answer."""
        self._socket.sendall(request)

    def receive(self) -> int:
        """Read one answer to its end; the status. ``body`` is then what came with it."""
        data = bytearray()
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._some()
        status, *fields = bytes(data[:end]).decode("latin-1").lower().split("\r\n")
        headers = dict(field.split(": ", 1) for field in fields)
        length = end + 4 + int(headers.get("content-length", "0"))
        while len(data) < length:
            data += self._some()
        self.body = bytes(data[end + 4 : length])
        return int(status.split()[1])

    def ask(self, request: bytes) -> int:
        """Send a request and read the answer; the status."""
        self.send(request)
        return self.receive()

    def _some(self) -> bytes:
        data = self._socket.recv(1 << 18)
        if not data:
            raise ConnectionError("the connection ended before the answer did")
        return data


def install(size: int = 0, **values: float) -> bytes:
    """A POST /install of so many bytes, or a few: never twice the same body.

    A host may take a body that it was sent before for a repetition, and have less to do.
    """
    metadata: dict[str, object] = {"number": f"{next(_numbers):09}", **values}
    for key in range((size - 64) // 64):
        metadata[f"key-{key:06}"] = "a value as long as many a name in a cluster"
    body = json.dumps(metadata).ljust(size)
    head = "POST /install HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def flat(size: int) -> bytes:
    """Metadata of so many bytes, all of it texts in one object."""
    metadata = {f"key-{key:06}": "a value as long as many a name" for key in range(size // 47)}
    return json.dumps(metadata).encode()


def nested(size: int) -> bytes:
    """Metadata of so many bytes, as a plugin keeps what it has made in a cluster."""
    resources = [
        {
            "kind": "Deployment",
            "name": f"shop-{number:05}",
            "labels": {"app": "shop", "tier": "backend", "shard": str(number % 16)},
            "ports": [8080, 8443, 9000 + number % 100],
            "replicas": number % 7,
            "share": number / 8,
            "ready": number % 3 > 0,
            "note": None,
        }
        for number in range(size // 189)
    ]
    return json.dumps({"resources": resources}).encode()


def life_times(port: int, body: bytes, seconds: float, pause: float = 0.0) -> list[float]:
    """The ms of sleep and resume in turn, each sent what the one before has answered.

    So the operator calls; ``pause`` are the seconds between two calls.
    """
    taken: list[float] = []
    ends = time.perf_counter() + seconds
    with Connection(port) as connection:
        for operation in itertools.cycle(("sleep", "resume")):
            head = f"POST /{operation} HTTP/1.1\r\nHost: localhost\r\n{JSON}"
            data = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
            began = time.perf_counter()
            status = connection.ask(data)
            taken.append(milliseconds(began))
            if status != 200:
                raise ConnectionError(f"the answer was {status} instead of 200")
            if time.perf_counter() > ends and len(taken) > 2:
                return taken[2:]  # the first ones pay for the connection and for what grows
            body = connection.body
            time.sleep(pause)
    raise AssertionError


def milliseconds(since: float) -> float:
    """How long ago that was on the clock of time.perf_counter."""
    return (time.perf_counter() - since) * 1e3


def times(port: int, request: Callable[[], bytes], status: int, seconds: float) -> list[float]:
    """The ms that each request took, one after the other on one connection, for so long."""
    taken: list[float] = []
    ends = time.perf_counter() + seconds
    with Connection(port) as connection:
        while time.perf_counter() < ends or len(taken) < 2:
            data = request()
            began = time.perf_counter()
            answer = connection.ask(data)
            taken.append(milliseconds(began))
            if answer != status:
                raise ConnectionError(f"the answer was {answer} instead of {status}")
    return taken[1:]  # the first pays for the connection


def quantile(values: list[float], share: float) -> float:
    """The value that this share of the others does not exceed."""
    return sorted(values)[round(share * (len(values) - 1))]
