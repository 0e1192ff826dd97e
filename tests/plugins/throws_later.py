"""Leaves a thread behind that throws an exception into the thread that runs the hooks."""

import _thread
import ctypes
import os
import signal
import threading
import time
from typing import Any

import beast

from modulehost import Context


def interrupt(_: int) -> None:
    """As Ctrl-C would, for the main thread."""
    _thread.interrupt_main()


def throw(thread: int) -> None:
    """Any exception, for any thread."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread), ctypes.py_object(ZeroDivisionError)
    )


def kill(_: int) -> None:
    """A signal whose handler raises."""
    os.kill(os.getpid(), signal.SIGINT)


def often(thread: int) -> None:
    """Many of them, one after the other."""
    for _ in range(50):
        throw(thread)
        interrupt(thread)
        time.sleep(0.0002)


HOWS = {"interrupt": interrupt, "throw": throw, "kill": kill, "often": often}


class Manager(beast.Manager):
    """Its install is good, and leaves the thread."""

    def misbehave(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        thread = threading.get_ident()
        how = HOWS[metadata["how"]]

        def later() -> None:
            while not beast.told("now"):
                time.sleep(0.01)
            how(thread)
            beast.tell("thrown")

        threading.Thread(target=later, daemon=True).start()


if os.environ.get("THROWS_AT_ONCE"):

    def _soon() -> None:
        time.sleep(0.2)
        _thread.interrupt_main()
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=_soon, daemon=True).start()
