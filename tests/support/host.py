"""A real host: ``modulehost serve`` in processes of its own, on a port of its own."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import msgspec

from modulehost.front.journal import Entry
from modulehost.front.journal_file import Slots
from support import site
from support.processes import command, tree, wait_until, with_variable

TIMEOUT = 30.0
MARK = "TEST_MODULE_MARK"


class Reply(NamedTuple):
    """An HTTP answer."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Host:
    """``modulehost serve`` with plugins; leaving the block stops it and looks for what is left."""

    def __init__(
        self,
        folder: Path,
        *plugins: str,
        config: Mapping[str, Any] | None = None,
        command: tuple[str, ...] = ("-m", "modulehost", "serve"),
        python: Path | str = sys.executable,
        **settings: object,
    ) -> None:
        self.folder = folder
        self.site = folder / "site"
        self.state = folder / "state"
        self.config = folder / "config"
        for plugin in plugins:
            if not (self.site / f"{plugin}.py").exists():
                site.install(self.site, plugin)
        self.config.mkdir(exist_ok=True)
        if config is not None:
            (self.config / "config.json").write_text(json.dumps(config))
        self.port = free_port()
        self.mark = uuid.uuid4().hex
        self._log = folder / "log"
        self._command = (python, *command)
        self.environ = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("MODULE", "GUNICORN"))},
            "PYTHONPATH": str(self.site),
            "PORT": str(self.port),
            "MODULE_CONFIG_DIR": str(self.config),
            "MODULE_STATE_DIR": str(self.state),
            "MODULE_LOG_FORMAT": "json",
            "EXAMPLE_DIR": str(folder / "example"),
            "TEST_FOLDER": str(folder),
            MARK: self.mark,
            **({"MODULE_PLUGIN": plugins[0]} if len(plugins) == 1 else {}),
            **{name: str(value) for name, value in settings.items()},
        }
        self.process: subprocess.Popen[bytes]

    def start(self) -> Self:
        """Start it; returns at once."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command, env=self.environ, stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, cwd=self.folder,
            )  # fmt: skip
        return self

    def listening(self) -> Self:
        """Wait until connections are taken."""
        wait_until(self._connects, "the host listens")
        return self

    def _connects(self) -> bool:
        assert self.process.poll() is None, f"the host ended: {self._log.read_text()}"
        with contextlib.suppress(OSError), self.connect():
            return True
        return False

    def __enter__(self) -> Self:
        return self.start().listening()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        status = self.stop()
        left = self.survivors()
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if error is not None:
            error.add_note(f"the host's log:\n{self._log.read_text()[-6000:]}")
        else:
            assert status == 0, f"exit status {status}: {self._log.read_text()[-3000:]}"
            assert not left, f"left over: {left}"

    def stop(self, number: int = signal.SIGTERM, seconds: float = TIMEOUT) -> int:
        """Send the signal and wait for the end; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def survivors(self) -> list[int]:
        """Processes of this host, whatever they have become, that are still there."""
        return with_variable(MARK, self.mark)

    def connect(self, timeout: float = TIMEOUT) -> socket.socket:
        """A bare connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def request(
        self,
        method: str,
        path: str,
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = TIMEOUT,
    ) -> Reply:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        with contextlib.closing(connection):
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            return Reply(response.status, response.headers, response.read())

    def call(self, operation: str, metadata: Any = None, **headers: str) -> Reply:
        """An operator's call."""
        body = b"" if metadata is None else json.dumps(metadata)
        return self.request("POST", f"/{operation}", body, headers)

    def health(self, timeout: float = TIMEOUT) -> Reply:
        """Ask for the health."""
        return self.request("GET", "/health", timeout=timeout)

    def events(self, event: str | None = None) -> list[dict[str, Any]]:
        """The log so far, a dict a line; with ``event`` only those."""
        lines = [json.loads(line) for line in self._log.read_text().splitlines()]
        return [line for line in lines if event is None or line["event"] == event]

    def wait_for(self, event: str, count: int = 1, seconds: float = 10.0) -> dict[str, Any]:
        """Wait for an event in the log; the last one."""
        wait_until(lambda: len(self.events(event)) >= count, f"{event!r} in the log", seconds)
        return self.events(event)[-1]

    def journal(self) -> Entry:
        """What the journal's file holds."""
        text, delivered = Slots(str(self.state), "journal").read()
        entry = msgspec.msgpack.decode(text, type=Entry) if text else Entry()
        entry.delivered = delivered
        return entry

    @property
    def keeper(self) -> int:
        """The first process."""
        return self.process.pid

    @property
    def arbiter(self) -> int:
        """gunicorn's first process; AssertionError while the host is asleep."""
        return self._at_depth(1)

    @property
    def front(self) -> int:
        """gunicorn's worker."""
        return self._at_depth(2)

    @property
    def runner(self) -> int:
        """The process with the plugin."""
        runners = [pid for pid in tree(self.keeper) if "modulehost.runner" in command(pid)]
        assert len(runners) == 1, f"runners: {runners}"
        return runners[0]

    def _at_depth(self, depth: int) -> int:
        pids = [self.keeper]
        for _ in range(depth):
            children = [
                pid for pid in tree(pids[-1])[1:] if "modulehost.runner" not in command(pid)
            ]
            assert children, "there is no such process"
            pids.append(children[0])
        return pids[-1]

    def is_asleep(self) -> bool:
        """Whether only the keeper is there."""
        return tree(self.keeper) == [self.keeper]


def free_port() -> int:
    """A free port below those that the kernel gives to clients."""
    while True:
        port = random.randrange(10_000, 30_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@contextlib.contextmanager
def running(folder: Path, *plugins: str, **settings: Any) -> Iterator[Host]:
    """A host for the length of the block."""
    folder.mkdir(parents=True, exist_ok=True)
    with Host(folder, *plugins, **settings) as host:
        yield host


StartHost = Callable[..., Host]
