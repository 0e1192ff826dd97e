"""Nobody reads the log: calls are answered, the host stops, and what was dropped is counted."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Self

import pytest
from support.host import Host
from support.processes import alive, wait_until

DROPPED = "log lines were dropped"
LINES = 3000


class Piped(Host):
    """A host whose log goes into a pipe, which is read only while somebody wants to."""

    _stalled = False

    def start(self) -> Self:
        self._reading, self._writing = os.pipe()
        self.process = subprocess.Popen(
            self._command, env=self.environ, stdout=self._writing, stderr=self._writing,
            stdin=subprocess.DEVNULL, cwd=self.folder,
        )  # fmt: skip
        self._log.touch()
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        return self

    def _read(self) -> None:
        """What a log collector does."""
        poll = select.poll()
        poll.register(self._reading, select.POLLIN)
        with self._log.open("ab", 0) as log:
            while True:
                with self._lock:
                    if not self._stalled and poll.poll(10):
                        if not (data := os.read(self._reading, 1 << 16)):
                            return
                        log.write(data)
                time.sleep(0.001)  # or nobody else gets the lock

    def stall(self) -> None:
        """Read nothing from now on, and have the pipe full to the last byte."""
        with self._lock:
            self._stalled = True
        for size in (4096, 1):
            with contextlib.suppress(BlockingIOError):
                while True:
                    os.pwritev(self._writing, [b"\n" * size], -1, os.RWF_NOWAIT)

    def read_again(self) -> None:
        """Read what is there, and what comes."""
        self._stalled = False

    def close(self) -> None:
        """After the host's end."""
        self.read_again()
        os.close(self._writing)
        self._reader.join()
        os.close(self._reading)

    def events(self, event: str | None = None) -> list[dict[str, Any]]:
        """Whole lines so far."""
        text = self._log.read_bytes().rpartition(b"\n")[0]
        lines = [json.loads(line) for line in text.splitlines() if line]
        return [line for line in lines if event is None or line["event"] == event]


@contextlib.contextmanager
def stalled(folder: Path, **settings: Any) -> Iterator[Piped]:
    """A host that has loaded its plugin, and then nobody reads its log."""
    host = Piped(folder, "talks", **settings)
    try:
        with host:
            host.wait_for("plugin loaded")
            host.stall()
            yield host
            host.read_again()
    finally:
        host.close()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Piped]:
    """A host with a stalled log."""
    with stalled(tmp_path, MODULE_LOG_LEVEL="debug") as host:
        yield host


def test_calls_are_answered(host: Piped) -> None:
    """A plugin that prints, logs and runs programs is not held up; nor is the health."""
    reply = host.call("install", {"lines": LINES})
    assert (reply.status, reply.json["seen"]) == (201, LINES)
    assert host.health().status == 200
    assert host.call("sleep", reply.json).status == 200
    assert host.call("uninstall", {}).status == 204


def test_the_host_stops(host: Piped) -> None:
    """On SIGTERM, in order, also in the middle of an operation."""
    calls = threading.Thread(target=host.call, args=("install", {"lines": LINES}))
    calls.start()
    assert host.stop(signal.SIGTERM) == 0
    calls.join()


def _is_gone(pid: int) -> bool:
    return not alive(pid)


def test_processes_that_die_are_replaced(tmp_path: Path) -> None:
    """The arbiter, the front and the runner start and end although nobody reads."""
    with stalled(tmp_path) as host:
        for kind in ("runner", "front", "arbiter"):
            pid: int = getattr(host, kind)
            os.kill(pid, signal.SIGKILL)
            wait_until(partial(_is_gone, pid), f"the {kind} is gone")
            assert host.call("install", {"lines": 10}).status == 201


def test_what_was_dropped_is_counted_once_somebody_reads(host: Piped) -> None:
    """It is told although nothing else is logged, and then the log goes on."""
    assert host.call("install", {"lines": 100}).status == 201
    host.read_again()
    told = host.wait_for(DROPPED)
    assert told["level"] == "warning"
    assert told["count"] > 0
    assert host.call("install", {"lines": 1}).status == 201
    assert host.wait_for("logged")["number"] == 0
