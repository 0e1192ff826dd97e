"""Answers every request with a reason when gunicorn cannot: nothing but the standard library."""

from __future__ import annotations

import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATIENCE = 5.0
"""Seconds for a client's next bytes."""


def serve(listener: int, reason: str) -> None:
    """Answer 400 with the reason, 503 to GET, until this process is ended."""
    body = f"{reason}\n".encode()

    class Handler(BaseHTTPRequestHandler):
        timeout = PATIENCE

        def answer(self) -> None:
            self.rfile.read(min(int(self.headers.get("Content-Length") or 0), 1 << 20))
            self.send_response(503 if self.command in ("GET", "HEAD") else 400)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = answer  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """The keeper has logged the reason."""

    sock = socket.socket(fileno=listener)
    sock.setblocking(True)
    server = ThreadingHTTPServer(("", 0), Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = sock
    server.serve_forever()
