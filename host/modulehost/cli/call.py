"""``modulehost call``: the operator's call, for a person inside the pod."""

from __future__ import annotations

import argparse
import http.client
import os
from pathlib import Path

from modulehost.cli.said import fail
from modulehost.front.journal import Journal
from modulehost.shared.errors import SettingError
from modulehost.shared.records import OPERATIONS
from modulehost.shared.settings import Settings

_NEEDED = ("PORT", "MODULE_STATE_DIR")  # whatever else is wrong, the host tells itself
_LISTENS = "0A"  # in proc_net_tcp(5)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("operation", choices=(*OPERATIONS, "health"))
    parser.add_argument(
        "--data",
        metavar="JSON",
        help="the metadata to send; without it the plugin gets what the last operation left,"
        " from the journal in MODULE_STATE_DIR, also when that operation failed",
    )
    parser.add_argument(
        "--unless-asleep",
        action="store_true",
        help="health only: do not wake a host that is asleep; it counts as healthy",
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
        return fail(str(error), 2)
    body = None
    if given.operation != "health":
        if given.unless_asleep:
            return fail("--unless-asleep is for health only", 2)
        if given.data is None:
            journal = Journal(settings.state_dir)
            if journal.problem is not None:
                return fail(f"{journal.problem}; say what to send with --data", 1)
            body = journal.to_send()
        else:
            body = given.data.encode("utf-8", "surrogateescape")
    elif given.data is not None:
        return fail("health takes no --data", 2)
    elif given.unless_asleep and _is_asleep(settings.port):
        print("asleep")
        return 0
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
        return fail(f"no answer on port {port}: {error.strerror or error}", 1)
    except http.client.HTTPException as error:
        return fail(f"no HTTP on port {port}: {type(error).__name__}", 1)
    finally:
        connection.close()
    print(f"{response.status} {response.reason}" + (f"\n{text}" if text else ""))
    return 0 if response.status < 300 else 1


def _is_asleep(port: int) -> bool:
    """Whether the keeper alone holds the listening socket; awake, gunicorn's processes do, too."""
    sockets = set()
    for table in ("tcp", "tcp6"):
        try:
            lines = Path("/proc/net", table).read_text().splitlines()[1:]
        except OSError:  # a kernel without IPv6
            continue
        for fields in map(str.split, lines):
            if fields[3] == _LISTENS and int(fields[1].rpartition(":")[2], 16) == port:
                sockets.add(f"socket:[{fields[9]}]")
    holders = [p for p in Path("/proc").glob("[0-9]*") if sockets & _descriptors(p)]
    return len(holders) == 1


def _descriptors(process: Path) -> set[str]:
    """What a process has open; nothing when it is somebody else's."""
    found = set()
    try:
        for descriptor in (process / "fd").iterdir():
            found.add(str(descriptor.readlink()))
    except OSError:
        pass  # it has ended, or it is not ours to look at
    return found
