"""What the fault tests share: calls under way, and what the bad plugins tell."""

from __future__ import annotations

import http.client
import json
import re
import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from typing import Any

from support.host import Host, Reply
from support.processes import wait_until

PROMPT = 2.0
"""Seconds for what is promised within one: the tests' own processes need the machine, too."""


def calling(host: Host, operation: str, metadata: Any = None, **headers: str) -> Future[Reply]:
    """A call under way in a thread of its own."""
    future: Future[Reply] = Future()

    def call() -> None:
        try:
            future.set_result(host.call(operation, metadata, **headers))
        except (OSError, http.client.HTTPException) as error:
            future.set_exception(error)

    threading.Thread(target=call, daemon=True).start()
    return future


def fill_queue(host: Host, operation: str) -> list[Future[Reply]]:
    """Have four calls wait: a fifth one was refused, so they do."""
    calls = {calling(host, operation, {"waits": True}) for _ in range(5)}
    refused, waiting = wait(calls, 10, FIRST_COMPLETED)
    assert len(refused) == 1
    reply = refused.pop().result()
    assert reply.status == 400
    assert re.fullmatch(r"busy: \w+ is running\n", reply.text)
    return list(waiting)


def asking(host: Host) -> Future[Reply]:
    """A question for the health under way in a thread of its own."""
    future: Future[Reply] = Future()
    threading.Thread(target=lambda: future.set_result(host.health()), daemon=True).start()
    return future


def prompt_health(host: Host) -> Reply:
    """Ask for the health: it must answer at once, whatever else is going on."""
    asked = time.monotonic()
    reply = host.health()
    assert time.monotonic() - asked < PROMPT, "the health came late"
    return reply


def is_running(host: Host, operation: str = "install") -> int:
    """Wait until the plugin misbehaves, its process id; the health must say that it is running."""
    pid = int(wait_for_file(host, "misbehaving"))
    reply = prompt_health(host)
    assert reply.status == 200
    assert reply.json["message"].startswith(f"{operation} running for ")
    return pid


def wait_for_file(host: Host, name: str) -> str:
    """Wait until the plugin has told something; what it told."""
    path = host.folder / name
    wait_until(path.exists, f"the plugin tells {name!r}")
    return path.read_text()


def tell(host: Host, name: str) -> None:
    """Tell the plugin something."""
    (host.folder / name).touch()


def given(host: Host) -> list[tuple[str, Any]]:
    """What the hooks were given so far: operation and metadata."""
    path = host.folder / "given"
    if not path.exists():
        return []
    return [tuple(json.loads(line)) for line in path.read_text().splitlines()]


def gone(pid: int) -> None:
    """Wait until the process has ended and was reaped: only then its last thread has, too."""
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), f"process {pid} is gone")


def uninstalls_with(
    host: Host, expected: dict[str, Any], sent: dict[str, Any] | None = None
) -> None:
    """The next good operation: an uninstall that is sent the old metadata and given the new."""
    reply = host.call("uninstall", {} if sent is None else sent)
    assert (reply.status, reply.body) == (204, b""), reply.text
    assert given(host)[-1] == ("uninstall", expected)
