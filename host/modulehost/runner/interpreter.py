"""What a plugin can change of the interpreter that the host's code runs in, too; put back."""

from __future__ import annotations

import builtins
import os
import select
import sys
import threading
import time
from sys import (
    getprofile,
    getrecursionlimit,
    getswitchinterval,
    gettrace,
    setprofile,
    setrecursionlimit,
    setswitchinterval,
    settrace,
)
from typing import Final

SWITCH_INTERVAL: Final = 0.0005
"""Seconds: a hook that burns a core must not hold up the other threads."""

_USED = (builtins, os, select, sys, threading, time)

_USED_LATER = ("json", "linecache", "traceback")


class Interpreter:
    """How it was when this was made. Make it before the plugin is imported.

    ``put_back`` takes no microsecond and follows each hook. ``put_all_back`` is for when something
    of ours has failed: it undoes what a plugin may have patched on purpose.
    """

    def __init__(self) -> None:
        self._interval = getswitchinterval()
        self._limit = getrecursionlimit()
        self._trace, self._profile = gettrace(), getprofile()
        self._lists = [(found, [*found]) for found in (sys.path, sys.meta_path, sys.path_hooks)]
        self._names = [(vars(module), dict(vars(module))) for module in _USED]

    def put_back(self) -> None:
        """The limits, and what traces this thread."""
        if gettrace() is not self._trace:
            settrace(self._trace)
        if getprofile() is not self._profile:
            setprofile(self._profile)
        if getrecursionlimit() < self._limit:
            setrecursionlimit(self._limit)
        setswitchinterval(self._interval)

    def put_all_back(self) -> None:
        """That, and every name in the modules that the host's own code uses."""
        setrecursionlimit(self._limit)
        self.put_back()
        for names, before in self._names:
            names.update(before)
        for found, as_it_was in self._lists:
            found[:] = as_it_was
        for name in [*sys.modules]:
            if name.partition(".")[0] in _USED_LATER:
                del sys.modules[name]  # the next import reads it anew
