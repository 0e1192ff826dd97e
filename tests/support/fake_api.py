"""A fake of the Kubernetes API: lists Modules over real TLS, or misbehaves in one of many ways."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, NamedTuple, Self
from urllib.parse import parse_qs, urlsplit

import trustme

MODULES: Final = "/apis/batch.forkspacer.com/v1/modules"
ANNOTATION: Final = "forkspacer.com/manager-data"
TOKEN: Final = "a-token.of-this.test"

_DRIP: Final = 0.2  # seconds between two bytes
_HUGE: Final = 1 << 20


class Asked(NamedTuple):
    """A request: its path, and the token that came with it."""

    path: str
    token: str


class FakeApi:
    """The API on loopback. ``does`` says how it answers: as it should, or as a fault's name says.

    ``silent`` never speaks TLS, ``stalls`` never answers, ``drips`` sends a byte now and then,
    ``closes`` the connection, ``no http``, ``no json``, ``huge``, ``other shape``, or a status.
    """

    def __init__(self, folder: Path, does: str = "lists", name: str = "127.0.0.1") -> None:
        self.does = does
        self.modules: list[dict[str, Any]] = []
        self.asked: list[Asked] = []
        self.authority = folder / "ca.crt"
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.authority)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(self._tls)
        self._ended = threading.Event()
        self._server = _Server(self)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]

    @property
    def environ(self) -> dict[str, str]:
        """What Kubernetes tells each container of it."""
        return {
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(self.port),
        }

    def keep(self, module: str, pod: str, service: str) -> None:
        """Have a Module, NAMESPACE/NAME, with an annotation as the operator writes it."""
        namespace, name = module.split("/")
        data = {"runnerPodName": pod, "runnerServiceName": service, "innerMetaData": {"a": [1.5]}}
        text = json.dumps({key: value for key, value in data.items() if value})
        annotations = {ANNOTATION: text, "of": "others"}
        about = {"name": name, "namespace": namespace, "annotations": annotations}
        self.modules.append({"metadata": about})

    def kubeconfig(self, server: str = "") -> str:
        """One as the operator writes it for a workspace in its own cluster."""
        return (
            "apiVersion: v1\nclusters:\n- cluster:\n"
            f"    certificate-authority: {self.authority}\n"
            f"    server: {server or f'https://127.0.0.1:{self.port}'}\n"
            "  name: default\ncontexts:\n- context:\n    cluster: default\n    user: default\n"
            "  name: default\ncurrent-context: default\nkind: Config\npreferences: {}\n"
            f"users:\n- name: default\n  user:\n    token: {TOKEN}\n"
        )

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()

    def take(self, connection: socket.socket) -> socket.socket:
        """A connection, with TLS; it may never come to that."""
        if self.does == "silent":
            self._ended.wait()
        return self._tls.wrap_socket(connection, server_side=True)

    def answer(self, handler: _Handler) -> None:
        """Answer one request."""
        token = handler.headers.get("Authorization", "").removeprefix("Bearer ")
        self.asked.append(Asked(handler.path, token))
        page = json.dumps(self._page(urlsplit(handler.path).query)).encode()
        match self.does:
            case "lists":
                handler.send(200, page)
            case "stalls":
                self._ended.wait()
            case "drips":
                self._drip(handler, page)
            case "closes":
                handler.close_connection = True
            case "no http":
                handler.wfile.write(b"\x00\xffgarbage\r\n" * 3)
                handler.close_connection = True
            case "no json":
                handler.send(200, b"{garbage")
            case "other shape":
                handler.send(200, b'{"kind": "Status", "items": 3}')
            case "huge":
                self._pour(handler)
            case status:
                reason = HTTPStatus(int(status)).phrase
                text = json.dumps({"kind": "Status", "message": reason, "code": int(status)})
                handler.send(int(status), text.encode())

    def _page(self, query: str) -> dict[str, Any]:
        asked = parse_qs(query)
        first, limit = int(asked.get("continue", ["0"])[0]), int(asked.get("limit", ["500"])[0])
        rest = {"continue": str(first + limit)} if first + limit < len(self.modules) else {}
        return {"items": self.modules[first : first + limit], "metadata": rest}

    def _drip(self, handler: _Handler, page: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(page)))
        handler.end_headers()
        for byte in page:
            if self._ended.wait(_DRIP):
                return
            handler.wfile.write(bytes([byte]))

    def _pour(self, handler: _Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.close_connection = True
        while not self._ended.is_set():
            handler.wfile.write(b" " * _HUGE)


class _Server(ThreadingHTTPServer):
    def __init__(self, api: FakeApi) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.api = api

    def handle_error(self, request: object, client_address: object) -> None:
        """Who is asked may hang up, or dislike the certificate."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        self.request = self.server.api.take(self.request)
        super().setup()

    def finish(self) -> None:
        with contextlib.suppress(OSError):
            super().finish()
        self.request.close()

    def do_GET(self) -> None:
        self.server.api.answer(self)

    def send(self, status: int, body: bytes) -> None:
        """Send a whole answer."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass
