"""The native listener: built once, and run with what it starts."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import native
from support.host import free_port
from support.processes import command, wait_until


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without a compiler there is one line that says so."""
    if reason := native.reason():
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason=reason))


STAND_IN = Path(__file__).with_name("stand_in.py")
"""What it becomes: a program that tells how it was started, and does what it is told."""


class Listener:
    """The program, on a port, becoming the stand-in or another program."""

    def __init__(
        self, program: Path, folder: Path, *argv: str, stdout: int | None = None, **environ: str
    ) -> None:
        self.port = free_port()
        self.folder = folder
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [program, *(argv or self.stand_in())],
                env={
                    **os.environ,
                    **native.ENVIRON,
                    "PORT": str(self.port),
                    "TEST_FOLDER": str(folder),
                    **environ,
                },
                stdin=subprocess.DEVNULL,
                stdout=log if stdout is None else stdout,
                stderr=log,
                start_new_session=True,
            )

    @staticmethod
    def stand_in(*words: str) -> tuple[str, ...]:
        """The command of the stand-in."""
        return (sys.executable, "-I", "-S", str(STAND_IN), *words)

    def told(self, count: int = 1) -> list[dict[str, Any]]:
        """What the stand-in tells of each of its starts."""
        path = self.folder / "told"
        wait_until(lambda: path.exists() and len(path.read_text().splitlines()) >= count, "a start")
        return [json.loads(line) for line in path.read_text().splitlines()]

    def tell(self, word: str) -> None:
        """Have the stand-in do something: sleep, answer, exit."""
        (self.folder / "draft").write_text(word)
        (self.folder / "draft").rename(self.folder / "word")

    def fall_asleep(self) -> None:
        """Have the stand-in become the listener again."""
        self.tell("sleep")
        wait_until(self.is_asleep, "it is asleep")

    def is_asleep(self) -> bool:
        """Whether the process is the listener, and waits."""
        waits = Path(f"/proc/{self.process.pid}/wchan").read_text() != "0"
        return "modulehost-listen" in command(self.process.pid).partition(" ")[0] and waits

    def connect(self, data: bytes = b"") -> socket.socket:
        """A client that has sent the data."""
        client = socket.create_connection(("127.0.0.1", self.port), 10)
        client.sendall(data)
        return client

    def ask(self, request: bytes) -> bytes:
        """The whole answer to a request."""
        with self.connect(request) as client:
            return b"".join(iter(lambda: client.recv(65536), b""))

    def ends(self, number: int | None = None) -> int:
        """Its exit status, after the signal if one is named."""
        if number is not None:
            self.process.send_signal(number)
        return self.process.wait(10)

    def events(self) -> list[dict[str, Any]]:
        """The lines of its log."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]


StartListener = Callable[..., Listener]


@pytest.fixture(scope="session")
def program() -> Path:
    """The native listener with sanitizers."""
    return native.built(*native.SANITIZED)


@pytest.fixture
def start(program: Path, tmp_path: Path) -> Iterator[StartListener]:
    """Start it: ``start(*argv, **environ)``; it has ended afterwards."""
    with contextlib.ExitStack() as stack:

        def begin(*argv: str, **options: Any) -> Listener:
            listener = Listener(program, tmp_path, *argv, **options)
            stack.callback(_end, listener.process)
            return listener

        yield begin


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
