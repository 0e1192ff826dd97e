"""Go's default HTTP client, as far as the operator uses it: ``http.Post`` of JSON."""

from __future__ import annotations

import http.client
import os
import select
import threading
import time
from typing import NamedTuple
from urllib.parse import urlsplit

from modulehost.testing.operator import IDLE_CONNECTION


class _Idle(NamedTuple):
    connection: http.client.HTTPConnection
    since: float


class Client:
    """Keeps idle connections and uses them again; has no timeout; goes through HTTP_PROXY."""

    def __init__(self) -> None:
        self._proxy = urlsplit(os.environ.get("HTTP_PROXY", ""))
        self._idle: dict[str, _Idle] = {}
        self._lock = threading.Lock()

    def post(self, authority: str, path: str, body: bytes) -> tuple[int, bytes]:
        """Status and body of the answer. Raises OSError and HTTPException: it is sent once."""
        connection = self._take(authority)
        url = f"http://{authority}{path}" if self._proxy.hostname else path
        try:
            headers = {"Host": authority, "Content-Type": "application/json"}
            connection.request("POST", url, body, headers)
            response = connection.getresponse()
            answer = response.read()
        except BaseException:
            connection.close()
            raise
        if not response.will_close:
            with self._lock:
                self._idle[authority] = _Idle(connection, time.monotonic())
        return response.status, answer

    def expire(self) -> None:
        """Close the connections that are idle for too long, and those that the peer has closed."""
        with self._lock:
            for authority, idle in list(self._idle.items()):
                if not _is_good(idle):
                    idle.connection.close()
                    del self._idle[authority]

    def _take(self, authority: str) -> http.client.HTTPConnection:
        self.expire()
        with self._lock:
            if idle := self._idle.pop(authority, None):
                return idle.connection
        if self._proxy.hostname:
            return http.client.HTTPConnection(self._proxy.hostname, self._proxy.port)
        host, _, port = authority.partition(":")
        return http.client.HTTPConnection(host, int(port))


def _is_good(idle: _Idle) -> bool:
    """Whether it may be used: readable while nothing was asked, it has been closed."""
    is_old = time.monotonic() - idle.since > IDLE_CONNECTION
    return not is_old and not select.select([idle.connection.sock], (), (), 0)[0]
