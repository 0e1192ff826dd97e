"""The few things about processes that Linux offers and Python does not. Imports next to nothing."""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False  # typing.TYPE_CHECKING without the import of typing
if TYPE_CHECKING:
    from collections.abc import Container, Iterator

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_M_ARENA_MAX = -8
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_KEPT = 2 << 20  # bytes; twice the largest body of a request
SIGKILL = 9  # the module signal would bring enum with it
SIGTERM = 15

_MADV_DONTNEED = 4
_UNENDED = 2.0  # s, until a process that was killed counts as one that cannot be ended

LONGEST_POLL = 2**31 - 1
"""Milliseconds, 24 days, that poll() takes at most: who has longer looks around in between."""


def _call(function: str, *arguments: object) -> int:
    # ctypes itself would cost the keeper a megabyte; this is the part of it that is needed.
    import _ctypes

    address = _ctypes.dlsym(_ctypes.dlopen(None, 0), function)  # type: ignore[arg-type]
    result: int = _ctypes.call_function(address, arguments)
    return result


def _prctl(option: int, value: int) -> None:
    if _call("prctl", option, value, 0, 0, 0):
        raise OSError(f"prctl({option}) was refused")


def use_one_heap() -> None:
    """Have all threads to come allocate from one heap: each of their own keeps what it once needed.

    They take turns for the interpreter's lock, so they would not wait for each other's heap. What
    a call of some size needs stays in it for the next, instead of being mapped anew page by page.
    """
    try:
        _call("mallopt", _M_ARENA_MAX, 1)
        _call("mallopt", _M_TRIM_THRESHOLD, _KEPT)
        _call("mallopt", _M_MMAP_THRESHOLD, _KEPT)
    except OSError:
        pass  # not glibc, and no heap a thread


def give_pages_back() -> None:
    """Have this process hold nothing that it can get again: pages of files, and its free memory.

    The pages stay in the kernel's cache while there is room; each comes back when it is touched.
    """
    try:
        import _ctypes

        class Word(_ctypes._SimpleCData):  # type: ignore[type-arg]
            _type_ = "L"

        areas = [(Word(start), Word(end - start)) for start, end in _unchanged_areas()]
        _call("malloc_trim", 0)
        for start, size in areas:
            _call("madvise", start, size, _MADV_DONTNEED)
    except (ImportError, AttributeError, OSError, ValueError):
        pass  # then it takes some more


def _unchanged_areas() -> Iterator[tuple[int, int]]:
    """Where files are in memory that were never written to, from proc_pid_smaps(5)."""
    start = end = 0
    with open("/proc/self/smaps", "rb") as file:  # noqa: PTH123
        for line in file:
            words = line.split()
            if not words[0].endswith(b":"):
                first, _, last = words[0].partition(b"-")
                of_file = b"w" not in words[1] and words[-1].startswith(b"/")
                start, end = (int(first, 16), int(last, 16)) if of_file else (0, 0)
            elif words[:2] == [b"Anonymous:", b"0"] and start:
                yield start, end


def become_subreaper() -> None:
    """Have the orphans among our descendants become our children, instead of process 1's."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when the thread that started it ends.

    ``parent`` is the process that started it: when that one has gone already, end at once.
    """
    _prctl(_PR_SET_PDEATHSIG, SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def children(parent: int) -> list[int]:
    """The processes whose parent is ``parent``, zombies included, from proc(5)."""
    found = []
    for name in os.listdir("/proc"):  # noqa: PTH208 - the keeper has no pathlib
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                    fields = file.read().rpartition(b")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == parent:
                found.append(int(name))
    return found


def kill_descendants(parent: int) -> None:
    """Kill all that a process has started, deepest last; orphans that moved away are missed."""
    found = [parent]
    for process in found:  # all are found before any is killed: whose parent dies, moves away
        found += children(process)
    for process in found[1:]:
        _kill(process)


def kill_children(keep: Container[int] = ()) -> list[int]:
    """Kill and reap every child of ours but those to keep; a subreaper so ends whole families.

    What a killed child had started becomes our child in turn, so this goes on until none is left.
    Returns those that cannot be ended: another user's, or one that the kernel does not let go.
    """
    ends = time.monotonic() + _UNENDED
    pause = 0.0005
    while strays := [child for child in children(os.getpid()) if child not in keep]:
        for child in strays:
            _kill(child)
        if left := [child for child in strays if not _reap(child)]:
            if time.monotonic() > ends:
                return left
            time.sleep(pause)
            pause = min(2 * pause, 0.05)
    return []


def reap_orphans(keep: int) -> None:
    """Reap the children of ours that have ended, but for ``keep``: others wait for that one."""
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if ended is None or ended.si_pid == keep:
            return
        _reap(ended.si_pid)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, SIGKILL)
    except OSError:
        pass  # it has ended, or it is another user's


def _reap(pid: int) -> bool:
    """Whether the child has gone, now or before."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def describe_exit(code: int) -> str:
    """An exit code, negative for a signal as subprocess has it, in words."""
    if code >= 0:
        return f"exit status {code}"
    from signal import Signals  # enum is dear, and the keeper never needs this

    try:
        return Signals(-code).name
    except ValueError:
        return f"signal {-code}"
