"""``modulehost plugins``: what is installed, what is selected, and why a plugin cannot be used."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from modulehost import discovery, linux
from modulehost.errors import PluginError, one_line


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=30.0,
        metavar="SECONDS",
        help="how long a plugin may take to load (default: 30)",
    )
    parser.epilog = (
        "The exit status is 0 when the selected plugin, marked with *, can be used; else 1."
    )
    parser.set_defaults(run=run)


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e6:
        raise ValueError
    return value


def run(given: argparse.Namespace) -> int:
    """Print what there is; 1 when no plugin is selected or the selected one cannot be used."""
    found = discovery.find()
    selected = None
    try:
        selected = discovery.select(found, os.environ.get("MODULE_PLUGIN", "").strip() or None)
    except PluginError as error:
        print(f"modulehost: {error}", file=sys.stderr)
    rows = [
        {**plugin._asdict(), "selected": plugin == selected, "problem": problem}
        for plugin, problem in zip(found, problems(found, given.timeout), strict=True)
    ]
    if given.json:
        for row in rows:
            del row["value"]
        print(msgspec.json.format(msgspec.json.encode(rows)).decode())
    elif rows:
        _print_table(rows)
    return 0 if any(row["selected"] and not row["problem"] for row in rows) else 1


def problems(found: list[discovery.Found], timeout: float) -> list[str | None]:
    """Why each plugin cannot be used, None when it can; nothing that they start is left."""
    others = linux.children(os.getpid())
    linux.become_subreaper()
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        return list(pool.map(lambda plugin: _problem(plugin, timeout), found))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        linux.kill_children(keep=others)


def _problem(plugin: discovery.Found, timeout: float) -> str | None:
    """Have the plugin loaded as the host would, in a process of its own."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)  # what the plugin has started may hold the other end open
    with open(reading, "rb") as report:  # noqa: PTH123
        with open(writing, "wb"):  # noqa: PTH123
            argv = ["-P", "-m", "modulehost.cli.probe", str(writing), str(os.getpid()), *plugin]
            process = subprocess.Popen(
                [sys.executable, *argv],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(writing,),
                start_new_session=True,
            )
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            return f"{plugin}: it did not load within {timeout:g} s; make its import faster"
        finally:
            _kill_group(process)
        try:
            problem: str | None = msgspec.json.decode(report.read() or b"", type=str | None)
        except msgspec.DecodeError:
            how = linux.describe_exit(status)
            return f"{plugin}: its process died while it was loaded: {how}"
        return problem


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def _print_table(rows: list[dict[str, Any]]) -> None:
    lines = [["", "NAME", "PACKAGE", "VERSION", "SUMMARY"]]
    for row in rows:
        cells = (row["name"], row["package"], row["version"], row["summary"])
        lines.append(["*" if row["selected"] else "", *map(one_line, cells)])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for number, line in enumerate(lines):
        print("  ".join(map(str.ljust, line, widths)).rstrip())
        if number and (problem := rows[number - 1]["problem"]):
            print(f"   cannot be used: {problem}")
