"""A fake of the Kubernetes API, over TLS: Secrets alone, and answers that a real one gives rarely.

For what needs no cluster; ``tests/cluster/test_secrets.py`` does the same with a real one.
"""

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TOKEN = "t0ken-of-the-test"


class FakeApi(http.server.ThreadingHTTPServer):
    """Keeps Secrets by namespace and name; ``refusal`` is the answer to all, if set."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.secrets: dict[str, dict[str, Any]] = {}
        self.refusal: tuple[int, bytes] | None = None
        self.asked: list[str] = []

    def keep(self, path: str, secret: dict[str, Any]) -> dict[str, Any]:
        """Store a Secret as the API server does."""
        texts = secret.pop("stringData", {})
        data = {k: base64.b64encode(v.encode()).decode() for k, v in texts.items()}
        secret["data"] = {**secret.get("data", {}), **data}
        secret["metadata"] |= {"uid": "u-1", "resourceVersion": str(len(self.asked))}
        self.secrets[path] = secret
        return secret


class _Handler(http.server.BaseHTTPRequestHandler):
    server: FakeApi

    def _answer(self) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "{}")
        status, answer = self._do(body)
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815

    def _do(self, body: dict[str, Any]) -> tuple[int, Any]:
        api = self.server
        if api.refusal is not None:
            return api.refusal
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return 401, {"message": "Unauthorized"}
        if self.command == "POST":
            return 201, api.keep(f"{self.path}/{body['metadata']['name']}", body)
        there = api.secrets.get(self.path)
        if there is None:
            return 404, {"message": "not found"}
        if self.command == "PATCH":
            return 200, api.keep(self.path, {**there, "stringData": body["stringData"]})
        if self.command == "DELETE":
            del api.secrets[self.path]
        return 200, there

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[tuple[FakeApi, dict[str, Any]]]:
    """A fake, and a kubeconfig for it; its certificate is made now."""
    key, certificate = folder / "tls.key", folder / "tls.crt"
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    argv += ["-nodes", "-days", "1", "-subj", "/CN=fake", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(
        [*argv, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True
    )
    api = FakeApi()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    api.socket = context.wrap_socket(api.socket, server_side=True)
    threading.Thread(target=api.serve_forever, daemon=True).start()
    try:
        yield api, kubeconfig(api.server_port, certificate.read_bytes())
    finally:
        api.shutdown()
        api.server_close()


def kubeconfig(port: int, certificate: bytes) -> dict[str, Any]:
    """One with a token, as the operator writes it."""
    authority = base64.b64encode(certificate).decode()
    cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority-data": authority}
    context = {"cluster": "c", "user": "u", "namespace": "shop"}
    return {
        "current-context": "x",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": {"token": TOKEN}}],
        "contexts": [{"name": "x", "context": context}],
    }
