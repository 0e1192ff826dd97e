"""One runner as the front sees it: its process, its channels, what it last told, how it ended."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import closing

from modulehost.shared import linux
from modulehost.shared.channel import Channel
from modulehost.shared.names import PRIVATE_ENVIRONMENT
from modulehost.shared.records import LOST, NOT_BEGUN, Loaded

_BY_ITSELF = "it ended"
_CLOSED = "it closed its connection to the host"
_LAST_BREATH = 500  # ms for a process whose connection has ended to end, too


class Child:
    """A runner. Started by a thread that lives as long as the front: its end is the runner's."""

    def __init__(self, environ: Mapping[str, str], log_fd: int) -> None:
        self.pidfd = -1
        self.calls, calls = Channel.pair()
        self.control, control = Channel.pair()
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
        self.loaded: Loaded | None = None
        self.loaded_at = 0.0
        self.is_used = False
        self.failure: str | None = None
        self.ended = threading.Event()
        self.how = ""
        self.has_closed = False
        self.not_begun = False
        self._why: str | None = None

    @property
    def usable(self) -> bool:
        """Whether it has loaded the plugin, lives, and nobody has ended it."""
        return self.loaded is not None and self._why is None and not self._ends_within(0)

    @property
    def is_killed(self) -> bool:
        """Whether somebody has ended it."""
        return self._why is not None

    def _ends_within(self, milliseconds: int) -> bool:
        poll = select.poll()
        poll.register(self.pidfd, select.POLLIN)
        return bool(poll.poll(milliseconds))

    @property
    def was_ended(self) -> bool:
        """Whether the host has ended it, for a reason of its own."""
        return self._why not in (None, _BY_ITSELF, _CLOSED)

    @property
    def died(self) -> bool:
        """Whether it has ended by itself."""
        return self.ended.is_set() and self._why == _BY_ITSELF and not self.not_begun

    def kill(self, why: str) -> None:
        """End it, with its process group; ``bury`` does the rest. The first reason stays."""
        self._why = self._why or why
        if self.ended.is_set():
            return  # its id may be another's by now
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def part(self) -> None:
        """Its connection has ended: it is dying, or must be killed."""
        if not self._ends_within(_LAST_BREATH):
            self.kill(_CLOSED)

    def bury(self) -> None:
        """After its end: kill and reap whatever it had started, and note how it ended."""
        self.kill(_BY_ITSELF)
        code = self._process.wait()
        linux.kill_children()
        self.how = linux.describe_exit(code)
        self.has_closed = self._why == _CLOSED or code == LOST
        if code == NOT_BEGUN:
            self.not_begun, self.is_used = True, False
            self.how = "a thread of the plugin throws exceptions into it"
        self.ended.set()

    def __del__(self) -> None:
        """Give back the descriptors, when neither the attendant nor a call uses them any more."""
        self.calls.close()
        self.control.close()
        if self.pidfd >= 0:
            os.close(self.pidfd)
