"""Forks in its hooks, and comes back from them in both processes; HOW and ``how`` say how."""

import ctypes
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import beast

from modulehost import Context, ModuleError, hookimpl


def fork(metadata: dict[str, Any]) -> bool:
    """Fork; whether this is the child. The parent notes its id."""
    sys.stdout.write("said before\n")
    child = os.fork()
    if child == 0:
        return True
    beast.tell("child", child)
    return False


def wait(metadata: dict[str, Any]) -> None:
    """Wait for the child; its exit status is in the metadata."""
    metadata["child ended with"] = os.waitstatus_to_exitcode(os.wait()[1])


def returns(ctx: Context[Any], metadata: dict[str, Any]) -> None:
    """Both return."""
    if fork(metadata):
        metadata["child"] = True
    else:
        wait(metadata)


def exits(ctx: Context[Any], metadata: dict[str, Any]) -> None:
    """The child ends as scripts do: the habit of daemons."""
    if fork(metadata):
        sys.exit(metadata.get("status", 0))
    wait(metadata)


def raises(ctx: Context[Any], metadata: dict[str, Any]) -> None:
    """The child fails."""
    if fork(metadata):
        raise ValueError("of the child")
    wait(metadata)


def prints(ctx: Context[Any], metadata: dict[str, Any]) -> None:
    """Each says something of its own; what was said before is in both buffers."""
    if fork(metadata):
        sys.stdout.write("said by the child\n")
        return
    wait(metadata)
    sys.stdout.write("said by the parent\n")
    sys.stdout.flush()


def asks(ctx: Context[Any], metadata: dict[str, Any]) -> None:
    """The child asks for what only the runner may."""
    if fork(metadata):
        ctx.progress("of the child")
        metadata["child"] = True
        try:
            ctx.checkpoint()
        except ModuleError as error:
            beast.tell("refused", error)
            return
    wait(metadata)


def outlives(ctx: Context[Any], metadata: dict[str, Any]) -> None:
    """The child goes on until it is told, and comes back in the midst of another operation."""
    if fork(metadata):
        while not beast.told("come back"):
            time.sleep(0.01)


def unseen(ctx: Context[Any], metadata: dict[str, Any]) -> None:
    """Forks so that Python does not notice."""
    child = ctypes.CDLL(None).fork()
    if child == 0:
        metadata["child"] = True
        return
    beast.tell("child", child)
    os.waitpid(child, 0)


def in_a_thread(ctx: Context[Any], metadata: dict[str, Any]) -> None:
    """A thread of the hook's forks."""

    def work() -> None:
        if not fork(metadata):
            wait(metadata)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


HOWS: dict[str, Callable[[Context[Any], dict[str, Any]], None]] = {
    "returns": returns,
    "exits": exits,
    "raises": raises,
    "prints": prints,
    "asks": asks,
    "outlives": outlives,
    "unseen": unseen,
    "in a thread": in_a_thread,
}


class Manager(beast.Manager):
    """Forks."""

    def misbehave(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        HOWS[metadata.pop("how")](ctx, metadata)

    @hookimpl
    def health(self) -> None:
        how = os.environ.get("HOW")
        if how in ("health", "health exits") and os.fork() == 0 and how == "health exits":
            sys.exit(0)


if os.environ.get("HOW") == "import":
    os.fork()
elif os.environ.get("HOW") == "import exits" and os.fork() == 0:
    sys.exit(0)
