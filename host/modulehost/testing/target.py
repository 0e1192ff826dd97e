"""What is checked: a module server, the life of a module on it, and how a check ends."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import msgspec

from modulehost.plugin.discovery import Found
from modulehost.shared.records import OperationName
from modulehost.testing.operator import go_json, read_go_json
from modulehost.testing.server import ModuleServer
from modulehost.testing.wire import Answer, Connection, Server, WireError

DEFAULT_TIMEOUT: Final = 60.0
"""Seconds for an answer."""

IDLE: Final = 6.0
"""Seconds for which a connection is left idle: servers that close it do so after 2 or 5."""


class Broken(Exception):  # noqa: N818 - what has become of the contract
    """The contract is broken; the text says how."""


class Skipped(Exception):  # noqa: N818 - a result
    """The check cannot be made here; the text says why."""


class Life:
    """A module as the operator has it: what is stored is what it sends."""

    def __init__(self, server: Server, first: dict[str, Any]) -> None:
        self.server = server
        self.metadata = dict(first)

    def body(self, **extra: Any) -> bytes:
        """What a call sends."""
        return go_json(self.metadata | extra).encode()

    def call(self, operation: OperationName) -> Answer:
        """Call, and store what a success answers."""
        answer = self.server.post(f"/{operation}", self.body())
        if answer.succeeded and operation != "uninstall" and answer.body.strip():
            with contextlib.suppress(ValueError):
                self.metadata = read_go_json(answer.body) or self.metadata
        return answer

    def must(self, operation: OperationName) -> Answer:
        """Call; a check that needs a success here is skipped when there is none."""
        answer = self.call(operation)
        if not answer.succeeded:
            raise Skipped(f"{operation} fails: {answer.reason}")
        return answer


class CutInstall(msgspec.Struct):
    """An install that was cancelled when it looked for the nth time, and the uninstall after it."""

    look: int
    seconds: float
    uninstall: str


class Cuts(msgspec.Struct):
    """What ``modulehost.testing.cuts`` has found out."""

    problem: str = ""
    broken: str = ""
    required: list[str] = []
    seconds: float = 0.0
    looks: int = 0
    cuts: list[CutInstall] = []


class Target:
    """A module server at a URL; ``first`` is what the first call sends: the config, if any."""

    def __init__(self, server: Server, first: dict[str, Any] | None = None) -> None:
        self.first = first or {}
        self.idle = IDLE
        self.refusal = ""
        self._server = server
        self._idle: tuple[Connection, Answer, float] | None = None

    @property
    def server(self) -> Server:
        """The server."""
        return self._server

    def require_install(self) -> None:
        """Skip a check for which the module must be installed when it is known that it cannot."""
        if self.refusal:
            raise Skipped(self.refusal)

    def prepare(self) -> None:
        """Open the connection whose idle life is looked at later, while all else goes on."""
        if self._idle is None:
            connection = self.server.connect()
            connection.send(self.server.request("/health"))
            self._idle = (connection, connection.answer(), time.monotonic())

    def idle_connection(self) -> tuple[Connection, Answer]:
        """A connection that has been idle for long, and the first answer on it."""
        self.prepare()
        assert self._idle is not None  # noqa: S101 - made just now
        connection, answer, since = self._idle
        time.sleep(max(0.0, since + self.idle - time.monotonic()))
        self._idle = None
        return connection, answer

    @contextlib.contextmanager
    def installed(self) -> Iterator[Life]:
        """An installed module, uninstalled at the end."""
        self.require_install()
        life = Life(self.server, self.first)
        try:
            answer = life.call("install")
            if not answer.succeeded:
                self.refusal = f"install fails: {answer.reason}"
            self.require_install()
            yield life
        finally:
            with contextlib.suppress(WireError):
                life.call("uninstall")

    def renew(self) -> None:
        """A check has failed: have the next one begin anew, where that can be had."""

    def close(self) -> None:
        """Close what is open."""
        if self._idle is not None:
            self._idle[0].close()
            self._idle = None


class PluginTarget(Target):
    """An installed plugin, behind hosts that are started when they are needed."""

    def __init__(
        self,
        found: Found,
        folder: Path,
        config: dict[str, Any],
        settings: dict[str, Any],
        timeout: float = DEFAULT_TIMEOUT,
        leftovers: Callable[[Any], Iterable[object]] | None = None,
    ) -> None:
        self.found = found
        self.config = config
        self.folder = folder
        self.settings = settings
        self.timeout = timeout
        self.leftovers = leftovers
        self._hosts = 0
        self._shared: ModuleServer | None = None
        super().__init__(Server("http://127.0.0.1", timeout))

    @property
    def environ(self) -> dict[str, str]:
        """The environment of its hosts."""
        return {**os.environ, **{name: str(value) for name, value in self.settings.items()}}

    @property
    def server(self) -> Server:
        """The host that checks share as long as they pass."""
        if self._shared is None:
            self._shared = self._start(self.config, {})
            self._server = Server(self._shared.url, self.timeout)
        return self._server

    @property
    def logs(self) -> list[dict[str, Any]]:
        """What the shared host has logged."""
        return self._shared.logs if self._shared else []

    @contextlib.contextmanager
    def fresh(
        self, config: dict[str, Any] | None = None, **settings: object
    ) -> Iterator[tuple[Target, ModuleServer]]:
        """A host of its own, with other settings."""
        server = self._start(self.config if config is None else config, settings)
        target = Target(Server(server.url, self.timeout))
        try:
            yield target, server
        finally:
            target.close()
            server.stop()

    def _start(self, config: dict[str, Any], settings: dict[str, Any]) -> ModuleServer:
        self._hosts += 1
        server = ModuleServer(
            self.folder / f"host{self._hosts}",
            self.found.name,
            config,
            **{**self.settings, **settings},
        )
        server.start()
        return server

    @cached_property
    def cuts(self) -> Cuts:
        """Installs that were cancelled at each look; found out in a process of its own."""
        folder = self.folder / "cuts"
        folder.mkdir(parents=True, exist_ok=True)
        report = folder / "report"
        argv = [sys.executable, "-P", "-m", "modulehost.testing.cuts"]
        argv += [str(os.getpid()), str(report), str(folder)]
        server = ModuleServer(folder, self.found.name, self.config, **self.settings)
        with (folder / "output").open("wb") as output:
            process = subprocess.Popen(
                [*argv, json.dumps(self.config), *self.found],
                env=server.environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            try:
                process.wait(5 * self.timeout)
            except subprocess.TimeoutExpired:
                return Cuts(broken=f"cancelled installs are not over after {5 * self.timeout:g} s")
            finally:
                end_group(process)
        try:
            return msgspec.json.decode(report.read_bytes(), type=Cuts)
        except (OSError, ValueError):
            text = (folder / "output").read_text(errors="replace").strip()
            last = text.splitlines()[-1] if text else "it said nothing"
            return Cuts(broken=f"the process died in a cancelled install: {last}")

    def renew(self) -> None:
        """Have the next check begin on a host that knows nothing of the last one."""
        self.close()

    def close(self) -> None:
        """Stop the host."""
        super().close()
        if self._shared is not None:
            self._shared.stop()
            self._shared = None


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of a process that leads a group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
