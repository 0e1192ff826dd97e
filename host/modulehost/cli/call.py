"""``modulehost call``: the operator's call, for a person inside the pod."""

from __future__ import annotations

import argparse
import http.client
import os
import sys

from modulehost.errors import SettingError
from modulehost.journal import Journal
from modulehost.protocol import OPERATIONS
from modulehost.settings import Settings


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("operation", choices=(*OPERATIONS, "health"))
    parser.add_argument(
        "--data",
        metavar="JSON",
        help="the metadata to send; without it what the last operation left, from the journal",
    )
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Call and print the answer; 1 when it is a failure or nobody answers."""
    try:
        settings = Settings.from_env(os.environ)
    except SettingError as error:
        print(f"modulehost: {error}", file=sys.stderr)
        return 2
    connection = http.client.HTTPConnection("127.0.0.1", settings.port)
    try:
        if given.operation == "health":
            connection.request("GET", "/health")
        else:
            body = _body(given.data, settings)
            headers = {"Content-Type": "application/json"}
            connection.request("POST", f"/{given.operation}", body, headers)
        response = connection.getresponse()
        text = response.read().decode("utf-8", "replace").strip()
    except (OSError, http.client.HTTPException) as error:
        print(f"modulehost: no answer on port {settings.port}: {error}", file=sys.stderr)
        return 1
    print(f"{response.status} {response.reason}" + (f"\n{text}" if text else ""))
    return 0 if response.status < 300 else 1


def _body(data: str | None, settings: Settings) -> bytes:
    return Journal(settings.state_dir).outcome() if data is None else data.encode()
