"""``python -m modulehost.cli.probe``: load one plugin and report what is wrong with it.

A process of its own, for a plugin can do anything while it is imported: end it, hang it, print.
Both sides are here: ``ask`` starts it, ``main`` is what runs in it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from modulehost.cli.arguments import seconds
from modulehost.plugin import discovery
from modulehost.shared import linux
from modulehost.shared.errors import PluginError

if TYPE_CHECKING:
    import argparse
    import subprocess


class Report(msgspec.Struct):
    """Why the plugin cannot be used, or what was asked about it."""

    problem: str | None = None
    answer: dict[str, Any] = {}


def add_timeout(parser: argparse.ArgumentParser) -> None:
    """Declare the argument for what is given to ``ask``."""
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=30.0,
        metavar="SECONDS",
        help="how long a plugin may take to load (default: 30)",
    )


@contextmanager
def nothing_left() -> Iterator[None]:
    """Kill at the end what was started inside, whatever has become of it."""
    others = linux.children(os.getpid())
    linux.become_subreaper()
    try:
        yield
    finally:
        linux.kill_children(keep=others)


def ask(
    plugin: discovery.Found, timeout: float, definition: dict[str, Any] | None = None
) -> Report:
    """Have the plugin loaded as the host would, and its definition made if one is asked for."""
    import subprocess

    # A file and not a pipe: neither the plugin nor what it has started can hold the reader up.
    report = os.memfd_create("report")
    with open(report, "rb") as file:  # noqa: PTH123
        asked = msgspec.json.encode(definition).decode()
        argv = ["-P", "-m", "modulehost.cli.probe", str(report), str(os.getpid()), asked, *plugin]
        process = subprocess.Popen(
            [sys.executable, *argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(report,),
            start_new_session=True,
        )
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            return Report(f"{plugin}: it did not load within {timeout:g} s; make its import faster")
        finally:
            _kill_group(process)
        file.seek(0)
        try:
            return msgspec.json.decode(file.read(), type=Report)
        except msgspec.DecodeError:
            how = linux.describe_exit(status)
            return Report(f"{plugin}: its process died while it was loaded: {how}")


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, linux.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def main() -> None:
    """Load, make the definition, and write the report to the descriptor in the arguments."""
    file, parent, asked, *found = sys.argv[1:]
    linux.die_with_parent(int(parent))
    os.set_inheritable(int(file), False)
    report = Report()
    try:
        plugin = discovery.load(discovery.Found(*found))
        if question := msgspec.json.decode(asked):
            from modulehost.plugin.definition import answer

            report.answer = answer(plugin, question)
    except PluginError as error:
        report.problem = str(error)
    os.write(int(file), msgspec.json.encode(report))
    os._exit(0)  # threads that the plugin has started could hold up any other end


if __name__ == "__main__":
    main()
