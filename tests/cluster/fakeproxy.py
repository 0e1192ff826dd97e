"""What the fake node has in place of Services: an HTTP proxy on the cluster's loopback."""

from __future__ import annotations

import http.client
import http.server
import re
import select
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import ClassVar, Final

PORT: Final = 3128
URL: Final = f"http://127.0.0.1:{PORT}"

_SERVICE = re.compile(r"http://([\w-]+)\.([\w-]+)\.svc(?:\.cluster\.local)?(?::\d+)?(/.*)")
_OF_A_CONNECTION = ("connection", "proxy-connection", "keep-alive", "transfer-encoding")


class Proxy(http.server.BaseHTTPRequestHandler):
    """Takes each request to a pod of the Service that its URL names."""

    protocol_version = "HTTP/1.1"
    chooses: ClassVar[list[Callable[[str, str], int | None]]] = []

    @classmethod
    def serve(cls, port_of: Callable[[str, str], int | None]) -> None:
        """Serve in a thread; ``port_of`` chooses a pod by namespace and Service."""
        cls.chooses.append(port_of)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", PORT), cls)
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def do_POST(self) -> None:
        """Pass it on, and the answer back."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        match = _SERVICE.fullmatch(self.path)
        port = self.chooses[0](match[2], match[1]) if match else None
        if match is None or port is None:
            self.close_connection = True  # as a connection that is refused
            return
        headers = {
            name: value
            for name, value in self.headers.items()
            if name.lower() not in _OF_A_CONNECTION
        }
        # no time limit: how long a call may last is between the caller and the pod
        with closing(http.client.HTTPConnection("127.0.0.1", port)) as pod:
            try:
                pod.request("POST", match[3], body, headers)
                if select.select([self.connection, pod.sock], (), ())[0] == [self.connection]:
                    self.close_connection = True  # the caller has hung up: so do we
                    return
                answer = pod.getresponse()
                data = answer.read()
            except (OSError, http.client.HTTPException):
                self.close_connection = True
                return
        self._reply(answer.status, data, answer.getheaders())

    def _reply(self, status: int, data: bytes, headers: Sequence[tuple[str, str]]) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in (*_OF_A_CONNECTION, "content-length"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is there
        """Say nothing."""
