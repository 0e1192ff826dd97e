"""A real host: ``modulehost serve`` in processes of its own, on a free port."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from modulehost.plugin.config import FILE

_START: Final = 30.0
_STOP: Final = 40.0  # the host itself stops within 27
_TRIES: Final = 5  # for a port that somebody else takes between two looks


class HostStartError(Exception):
    """The host did not start; the text is the end of its log."""


class ModuleServer:
    """The host with one plugin; leaving the block stops it.

    ``config`` is what the operator would mount as ``config.json``; ``settings`` are environment
    variables. ``folder`` takes the config, the journal and the log. With ``outlives`` the host is
    in a session of its own, and is there until it is stopped.
    """

    def __init__(
        self,
        folder: Path,
        plugin: str,
        config: Mapping[str, Any] | None = None,
        *,
        outlives: bool = False,
        **settings: object,
    ) -> None:
        self.port = 0
        self.plugin = plugin
        self._outlives = outlives
        self._log = folder / "log"
        self._config = folder / "config"
        self.environ = {
            **os.environ,
            "MODULE_PLUGIN": plugin,
            "MODULE_CONFIG_DIR": str(self._config),
            "MODULE_STATE_DIR": str(folder / "state"),
            "MODULE_LOG_FORMAT": "json",
            **{name: str(value) for name, value in settings.items()},
        }
        self._config.mkdir(parents=True, exist_ok=True)
        self.configure(config or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The number of its first process. Raises HostStartError when it was not started."""
        if self._process is None:
            raise HostStartError("the host was not started")
        return self._process.pid

    @property
    def logs(self) -> list[dict[str, Any]]:
        """What was logged so far: a dict a line."""
        found = []
        for line in self._log.read_text(errors="replace").splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                found.append({"event": line})
        return found

    def configure(self, config: Mapping[str, Any]) -> None:
        """Mount another ``config.json``; it counts from the next call on."""
        (self._config / FILE).write_text(json.dumps(config))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait until it listens. Raises HostStartError with its log if it does not."""
        for _ in range(_TRIES):
            self.port = _free_port()
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "modulehost", "serve"],
                    env={**self.environ, "PORT": str(self.port)},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=self._outlives,
                )
            if self._listens(self._process):
                return
        raise HostStartError(f"the host did not start: {self._log.read_text()[-2000:]}")

    def _listens(self, process: subprocess.Popen[bytes]) -> bool:
        """Wait until it listens, or has ended for want of the port."""
        ends = time.monotonic() + _START
        while process.poll() is None and time.monotonic() < ends:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.005)
            else:
                return True
        self.stop()
        return False

    def stop(self) -> None:
        """Stop it as Kubernetes does."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_STOP)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
