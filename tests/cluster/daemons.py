"""Processes in the background that are written down, so that any command can end them."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from support.processes import wait_until


class Daemons:
    """Processes, by name: ``folder`` holds who they are, ``logs`` what they print."""

    def __init__(self, folder: Path, logs: Path, inside: Sequence[str]) -> None:
        self._folder = folder
        self._logs = logs
        self._inside = inside
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *command: str | Path, **environ: str) -> int:
        """Start one, in a session of its own: an interrupt at the terminal is not for it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._logs.mkdir(parents=True, exist_ok=True)
        with self.log(name).open("ab") as log:
            child = subprocess.Popen(
                [*self._inside, *command], env={**os.environ, **environ}, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True, cwd="/",
            )  # fmt: skip
        self._children[name] = child
        (self._folder / name).write_text(f"{child.pid} {_born(child.pid)}")
        return child.pid

    def log(self, name: str) -> Path:
        """The file with what it has printed."""
        return self._logs / f"{name}.log"

    def wait_for(self, name: str, ready: Callable[[], object], seconds: float = 60) -> None:
        """Wait until it is ready; an AssertionError with the end of its log when it is not."""

        def is_ready_or_dead() -> object:
            return ready() or not self.pid(name)

        try:
            wait_until(is_ready_or_dead, f"{name} is ready", seconds)
            assert self.pid(name), f"{name} has ended"
        except AssertionError as error:
            log = self.log(name).read_text(errors="replace")
            error.add_note(f"its log ends with:\n{log[-3000:]}")
            raise

    def pid(self, name: str) -> int | None:
        """Its number, None when it does not run: another may have the number by then."""
        try:
            pid, born = (self._folder / name).read_text().split()
        except (OSError, ValueError):
            return None
        return int(pid) if _born(int(pid)) == born else None

    def send(self, name: str, number: int) -> None:
        """Send it a signal, if it runs."""
        if pid := self.pid(name):
            os.kill(pid, number)

    def end(self, *names: str, number: int = signal.SIGTERM, seconds: float = 5.0) -> None:
        """End them all together, and kill what does not end by itself."""
        for name in names:
            self.send(name, number)
        for name in names:
            if not self._has_ended(name, seconds):
                self.send(name, signal.SIGKILL)
                assert self._has_ended(name, seconds), f"{name} cannot be killed"
            if child := self._children.pop(name, None):
                child.wait()
            (self._folder / name).unlink(missing_ok=True)

    def _has_ended(self, name: str, seconds: float) -> bool:
        try:
            wait_until(lambda: self.pid(name) is None, f"{name} has ended", seconds)
        except AssertionError:
            return False
        return True


def _born(pid: int) -> str:
    """When the process was started, in the kernel's ticks; empty when it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]
