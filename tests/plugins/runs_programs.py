"""Runs a program through the host's ``ctx.run``: a shell with children, some of them stubborn."""

import os
import sys
from typing import Any

import beast

from modulehost import Context

CHILD = """
import os, signal, sys, time
name, stubborn = sys.argv[1:]
if stubborn == "yes":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
new = f"{os.environ['TEST_FOLDER']}/{name}.new"
open(new, "w").write(str(os.getpid()))
os.rename(new, new[:-4])
time.sleep(60)
"""
SCRIPT = '"$0" -c "$1" tame no & "$0" -c "$1" stubborn yes & echo started; wait'


class Manager(beast.Manager):
    """Waits for a program that does not end."""

    def misbehave(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        metadata["running"] = True
        beast.tell("misbehaving", os.getpid())
        ctx.run(["/bin/sh", "-c", SCRIPT, sys.executable, CHILD])
