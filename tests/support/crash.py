"""Crash points: the system calls of an operation that change something, and what happens at one.

strace lists them, and with ``inject`` has the process killed as it enters one, or has the call
fail. A point is the nth call of a name in a thread; the thread that comes to its nth first is hit.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple, Self

from support.processes import wait_until

CHANGES: Final = (
    *("write", "writev", "pwrite64", "pwritev", "pwritev2", "sendto", "sendmsg", "sendfile"),
    *("openat", "mkdir", "mkdirat", "mknod", "mknodat", "link", "linkat", "symlink", "symlinkat"),
    *("rename", "renameat", "renameat2", "unlink", "unlinkat", "rmdir", "chmod", "fchmod"),
    *("fchmodat", "truncate", "ftruncate", "fallocate", "fsync", "fdatasync", "flock", "shutdown"),
    *("clone", "clone3", "fork", "vfork", "execve", "kill", "tgkill", "pidfd_send_signal"),
)
"""Calls by which a process changes the world, other processes included."""

BIRTHS: Final = ("clone", "clone3", "fork", "vfork", "execve")
"""Those of them that fail in ways of their own: no disk is full for them."""

_ONLY_WHEN: Final = {"openat": "O_CREAT", "kill": "SIG"}  # which of these are counted as changes
_LINE: Final = re.compile(r"(\d+) +(\w+)\((.*)")
_BIRTH: Final = re.compile(r"(\d+) +(<\.\.\. )?(?:clone3?|v?fork)\b.*?(?:= (\d+))?$")
QUIET: Final = 0.3
"""Seconds without a call after which an operation is over."""

LATE: Final = 3.0
"""Seconds for strace to tell of a fault."""


class Point(NamedTuple):
    """The nth call of that name in a thread of a process."""

    process: str
    name: str
    number: int

    def __str__(self) -> str:
        return f"{self.process}: {self.name}#{self.number}"


class Seen(NamedTuple):
    """A call that strace has seen."""

    thread: int
    name: str
    number: int
    arguments: str

    @property
    def changes(self) -> bool:
        """Whether it could have changed something outside of its process."""
        if "<anon_inode:[eventfd]>" in self.arguments:
            return False
        return _ONLY_WHEN.get(self.name, "") in self.arguments


@cache
def why_not() -> str | None:
    """Why no crash points can be tried here; None when they can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    result = subprocess.run(["strace", "-qq", "true"], capture_output=True, text=True, check=False)
    return None if result.returncode == 0 else f"strace cannot trace: {result.stderr.strip()}"


class Trace:
    """strace at a process with all its threads and children, for the length of a ``with`` block."""

    def __init__(self, pid: int, output: Path, inject: str | None = None) -> None:
        self._pid = pid
        self._output = output
        self._injects = inject is not None
        names = ",".join(f"?{name}" for name in CHANGES)
        self._argv = ["strace", "-f", "-q", "-y", "-e", "signal=KILL", "-e", f"trace={names}"]
        self._argv += ["-e", f"inject={inject}"] if inject else []
        self._argv += ["-o", str(output), "-p", str(pid)]
        self._process: subprocess.Popen[bytes]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._argv, stderr=subprocess.DEVNULL)
        wait_until(self._attached, "strace is at all threads")
        if self._injects:
            threading.Thread(target=self._stop_once_hit, daemon=True).start()
        return self

    def _stop_once_hit(self) -> None:
        """One fault is enough: strace has one for each process that comes to that call."""
        while self._process.poll() is None:
            if self._is_hit():
                self._process.kill()
            time.sleep(0.01)

    def _is_hit(self) -> bool:
        text = self._output.read_text(errors="replace")
        return re.search(r"\(INJECTED\)|\+\+\+ killed by SIGKILL|= \?$", text, re.M) is not None

    def _attached(self) -> bool:
        if self._process.poll() is not None:  # a thread in the background came to it at once
            assert self._is_hit(), f"strace ended: {self._process.returncode}"
            return True
        try:
            tasks = Path(f"/proc/{self._pid}/task").iterdir()
            return all("TracerPid:\t0\n" not in (task / "status").read_text() for task in tasks)
        except OSError:
            return False  # a thread has just ended, or all of them

    def __exit__(self, *_: object) -> None:
        # told to detach, it would wait for ever for a leader whose other threads are not reaped
        self._process.kill()
        self._process.wait()

    def settle(self) -> None:
        """Wait until nothing has been called for a while: an answer is not the end of it all.

        A fault that was injected may be written down only later.
        """
        ends = time.monotonic() + LATE
        while self._injects and not self._is_hit() and time.monotonic() < ends:
            time.sleep(0.02)
        size, since = -1, 0.0
        while time.monotonic() - since < QUIET:
            if (now := self._output.stat().st_size) != size:
                size, since = now, time.monotonic()
            time.sleep(0.02)

    def calls(self) -> Iterator[Seen]:
        """What was seen, in order."""
        counts: dict[tuple[int, str], int] = {}
        for line in self._output.read_text(errors="replace").splitlines():
            if match := _LINE.match(line):
                thread, name = int(match[1]), match[2]
                counts[thread, name] = number = counts.get((thread, name), 0) + 1
                yield Seen(thread, name, number, match[3])

    def points(self, process: str) -> list[Point]:
        """The points there are, in the order in which they are met first."""
        found = (Point(process, c.name, c.number) for c in self.calls() if c.changes)
        return list(dict.fromkeys(found))

    def hit(self, point: Point) -> Seen | None:
        """The call at which something was injected; None when it was never made."""
        if not self._is_hit():
            return None
        same = [c for c in self.calls() if (c.name, c.number) == point[1:]]
        return next((c for c in same if "(INJECTED)" in c.arguments), next(iter(same), None))

    def depths(self) -> dict[int, int]:
        """For each thread and process that was born: how far below the traced process it is."""
        depths: dict[int, int] = {self._pid: 0}
        flags: dict[int, str] = {}
        for line in self._output.read_text(errors="replace").splitlines():
            if (match := _BIRTH.match(line)) is None:
                continue
            parent, child = int(match[1]), match[3]
            flags[parent] = flags.get(parent, "") * (match[2] is not None) + line
            if child is not None:
                is_thread = "CLONE_THREAD" in flags.pop(parent)
                depths[int(child)] = depths.get(parent, 0) + (not is_thread)
        return depths


def killing(point: Point) -> str:
    """What has strace kill the process as it enters the call."""
    return f"{point.name}:signal=KILL:when={point.number}"


def failing(point: Point, error: str) -> str:
    """What has strace have the call fail."""
    return f"{point.name}:error={error}:when={point.number}"


def in_ci() -> bool:
    """Whether nothing may be left out."""
    return bool(os.environ.get("CI"))
