"""One runner as the front sees it: its process, its channels, and its state."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from typing import Final, NamedTuple

from modulehost.front.refused import Refused
from modulehost.shared import linux
from modulehost.shared.channel import Channel
from modulehost.shared.names import PRIVATE_ENVIRONMENT
from modulehost.shared.records import LOST, MOST_KEPT, NOT_BEGUN, Loaded

BURIAL: Final = 5.0
"""Seconds for a process that was killed to be gone: one that hangs in the kernel is given up."""

_LARGEST: Final = MOST_KEPT + (1 << 20)  # bytes of a record; what is beside metadata is small
_LAST_BREATH: Final = 500  # ms for a process whose connection has ended to end, too


class Loading(NamedTuple):
    """It imports the plugin."""

    def ready(self, loaded: Loaded) -> Ready:
        """It has said so."""
        return Ready(loaded, time.monotonic())


class Ready(NamedTuple):
    """It takes calls."""

    loaded: Loaded
    since: float


class Doomed(NamedTuple):
    """Nobody uses it any more: it ends, or was killed. ``failure``: why it could not load."""

    why: str
    failure: str | None = None


class Ended(NamedTuple):
    """It is gone: what it was before, and how it ended.

    ``has_closed``: it had closed its connection; ``not_begun``: it could not begin its call.
    """

    before: Loading | Ready | Doomed
    how: str
    has_closed: bool
    not_begun: bool


class RunnerProcess:
    """A runner. Started by a thread that lives as long as the front: its end is the runner's."""

    def __init__(self, environ: Mapping[str, str], log_fd: int) -> None:
        """Start it; raises OSError."""
        self.pidfd = -1
        self.calls, calls = Channel.pair(_LARGEST)
        self.control, control = Channel.pair(_LARGEST)
        fds = (calls.fileno(), control.fileno(), log_fd)
        argv = [sys.executable, "-P", "-m", "modulehost.runner", *map(str, (*fds, os.getpid()))]
        with closing(calls), closing(control):
            self._process = subprocess.Popen(
                argv,
                env={k: v for k, v in environ.items() if not k.startswith(PRIVATE_ENVIRONMENT)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=fds,
                start_new_session=True,
            )
        self.pid = self._process.pid
        self.pidfd = os.pidfd_open(self.pid)
        self.stdout, self.stderr = self._process.stdout, self._process.stderr
        self.is_used = False
        self.refused = Refused()
        self.ended = threading.Event()
        self._state: Loading | Ready | Doomed | Ended = Loading()
        self._lock = threading.Lock()
        self._has_closed = False

    @property
    def state(self) -> Loading | Ready | Doomed | Ended:
        """What it does, as far as is known here."""
        return self._state

    @property
    def ready(self) -> Ready | None:
        """Its state, if it has loaded the plugin and nobody has ended it or seen it end."""
        return self._state if isinstance(self._state, Ready) else None

    def has_loaded(self, loaded: Loaded) -> None:
        """It says that the plugin is loaded."""
        with self._lock:
            if isinstance(self._state, Loading):
                self._state = self._state.ready(loaded)

    def kill(self, why: str, failure: str | None = None) -> None:
        """End it, with its process group; ``bury`` does the rest. The first reason stays."""
        with self._lock:
            if isinstance(self._state, Loading | Ready):
                self._state = Doomed(why, failure)
            if not isinstance(self._state, Ended):  # its id may be another's by then
                self._kill()

    def part(self) -> None:
        """Its connection has ended: it is dying, or must be killed."""
        if not self._ends_within(_LAST_BREATH):
            self._has_closed = True
            self._kill()

    def bury(self) -> bool:
        """After its end: kill and reap whatever it had started. Whether it is gone."""
        self._kill()
        try:
            code = self._process.wait(BURIAL)
            how = linux.describe_exit(code)
        except subprocess.TimeoutExpired:
            code, how = 0, "it could not be killed"
        linux.kill_children()
        if code == NOT_BEGUN:
            self.is_used, how = False, "a thread of the plugin throws exceptions into it"
        has_closed = self._has_closed or code == LOST
        with self._lock:
            if not isinstance(self._state, Ended):
                self._state = Ended(self._state, how, has_closed, code == NOT_BEGUN)
        self.ended.set()
        return self._process.returncode is not None

    def _kill(self) -> None:
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass  # it has gone, or has become somebody whom we may not kill

    def _ends_within(self, milliseconds: int) -> bool:
        poll = select.poll()
        poll.register(self.pidfd, select.POLLIN)
        return bool(poll.poll(milliseconds))

    def __del__(self) -> None:
        """Give back the descriptors, when neither the runners' thread nor a call uses them."""
        self.calls.close()
        self.control.close()
        if self.pidfd >= 0:
            os.close(self.pidfd)
