"""``python -m modulehost.testing.cuts``: installs cancelled at each look, and what is left then.

A process of its own, for a plugin can do anything. The hook is cancelled while it looks for the
nth time whether it should stop: so every gap between two looks is met, however short it is.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NoReturn

import msgspec

from modulehost.plugin import discovery
from modulehost.plugin.config import Schema
from modulehost.shared import linux
from modulehost.shared.errors import HostError
from modulehost.testing.inprocess import LocalHost, LocalOperator
from modulehost.testing.target import CutInstall, Cuts

MOST: Final = 25
"""Looks at which an install is cut; one that waits in a loop has many."""


def main() -> None:
    """Write the report to the file in the arguments."""
    parent, file, folder, config, *found = sys.argv[1:]
    linux.die_with_parent(int(parent))
    linux.become_subreaper()
    cuts = Cuts()
    try:
        cut(cuts, discovery.Found(*found), Path(folder) / "lives", config.encode(), Path(file))
    except HostError as error:
        cuts.problem = str(error)
    _end(cuts, Path(file))


def cut(cuts: Cuts, found: discovery.Found, folder: Path, config: bytes, file: Path) -> None:
    """A whole install and uninstall first, then one cut after the other."""
    cuts.required = _required(found)
    host, operator = _fresh(found, folder, config)
    begun = time.monotonic()
    outcome = operator.call("install")
    cuts.looks, cuts.seconds = host.looks, time.monotonic() - begun
    operator.call("uninstall")
    if not outcome.succeeded:
        cuts.problem = outcome.body.strip() or outcome.event
        return
    for look in range(1, min(cuts.looks, MOST) + 1):
        host, operator = _fresh(found, folder, config)
        now = CutInstall(look, 0.0, "")
        with _watched(cuts, now, host, file):
            operator.call("install", cancel_at=look)
        now.seconds = max(0.0, time.monotonic() - host.cancelled_at)
        outcome = operator.call("uninstall")
        now.uninstall = "" if outcome.succeeded else outcome.body.strip() or outcome.event
        cuts.cuts.append(now)


@contextlib.contextmanager
def _watched(cuts: Cuts, now: CutInstall, host: LocalHost, file: Path) -> Iterator[None]:
    """End this process when the install has not stopped when its grace is over."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            now.seconds = time.monotonic() - host.now_cancelled_at
            if now.seconds > host.grace + 0.1:
                cuts.cuts.append(now)
                _end(cuts, file)

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _end(cuts: Cuts, file: Path) -> NoReturn:
    file.write_bytes(msgspec.json.encode(cuts))
    linux.kill_children()
    os._exit(0)  # threads that the plugin has started could hold up any other end


def _fresh(found: discovery.Found, folder: Path, config: bytes) -> tuple[LocalHost, LocalOperator]:
    shutil.rmtree(folder, ignore_errors=True)
    host = LocalHost(found, folder)
    (host.config_dir / "config.json").write_bytes(config)
    return host, LocalOperator(host)


def _required(found: discovery.Found) -> list[str]:
    schema: Schema | None = discovery.load(found).schema
    return [item.alias for item in schema.items if item.required] if schema else []


if __name__ == "__main__":
    main()
