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

_NEEDED = ("PORT", "MODULE_STATE_DIR")  # whatever else is wrong, the host tells itself


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("operation", choices=(*OPERATIONS, "health"))
    parser.add_argument(
        "--data",
        metavar="JSON",
        help="the metadata to send; without it the plugin gets what the last operation left,"
        " from the journal in MODULE_STATE_DIR, also when that operation failed",
    )
    parser.add_argument("--port", "-p", metavar="PORT", help="the host's TCP port; wins over PORT")
    parser.epilog = "The exit status is 0 when the answer is a success; else 1."
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Call and print the answer; 1 when it is a failure or nobody answers."""
    environ = {name: os.environ[name] for name in _NEEDED if name in os.environ}
    if given.port is not None:
        environ["PORT"] = given.port
    try:
        settings = Settings.from_env(environ)
    except SettingError as error:
        return _fail(str(error), 2)
    body = None
    if given.operation != "health":
        if given.data is None:
            journal = Journal(settings.state_dir)
            if journal.problem is not None:
                return _fail(f"{journal.problem}; say what to send with --data", 1)
            body = journal.to_send()
        else:
            body = given.data.encode("utf-8", "surrogateescape")
    elif given.data is not None:
        return _fail("health takes no --data", 2)
    return _call(settings.port, given.operation, body)


def _call(port: int, operation: str, body: bytes | None) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    try:
        if body is None:
            connection.request("GET", f"/{operation}")
        else:
            headers = {"Content-Type": "application/json"}
            connection.request("POST", f"/{operation}", body, headers)
        response = connection.getresponse()
        text = response.read().decode("utf-8", "replace").strip()
    except OSError as error:
        return _fail(f"no answer on port {port}: {error.strerror or error}", 1)
    except http.client.HTTPException as error:
        return _fail(f"no HTTP on port {port}: {type(error).__name__}", 1)
    finally:
        connection.close()
    print(f"{response.status} {response.reason}" + (f"\n{text}" if text else ""))
    return 0 if response.status < 300 else 1


def _fail(reason: str, status: int) -> int:
    print(f"modulehost: {reason}", file=sys.stderr)
    return status
