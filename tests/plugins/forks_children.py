"""Forks children that want to outlive it, then does as THEN says: hang, raise, die or return.

One in a session of its own, one forked twice, one that ignores what it can, one that has been
given other descriptors.
"""

import os
import signal
import subprocess
import sys
import time
from typing import Any, NoReturn

import beast

from modulehost import Context

CHILDREN = ("plain", "session", "orphan", "stubborn")


def stay(name: str) -> NoReturn:
    """Be a child that does not end."""
    beast.tell(name, os.getpid())
    while True:
        time.sleep(60)


def fork(name: str) -> int:
    """Fork a child of that kind."""
    pid = os.fork()
    if pid:
        return pid
    try:
        if name in ("session", "orphan"):
            os.setsid()
        if name == "orphan" and os.fork():
            os._exit(0)
        if name == "stubborn":
            os.setpgid(0, 0)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            os.closerange(0, 4096)
        stay(name)
    finally:
        os._exit(1)


class Manager(beast.Manager):
    """Leaves a family behind."""

    def misbehave(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        for name in CHILDREN:
            fork(name)
        program = [sys.executable, "-c", "import time; time.sleep(60)"]
        beast.tell("program", subprocess.Popen(program, start_new_session=True).pid)
        while not all(beast.told(name) for name in CHILDREN):
            time.sleep(0.01)
        beast.tell("misbehaving", os.getpid())
        match os.environ.get("THEN", "hang"):
            case "hang":
                time.sleep(60)
            case "raise":
                raise RuntimeError("enough")
            case "die":
                os.kill(os.getpid(), signal.SIGSEGV)
