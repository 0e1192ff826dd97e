"""``modulehost plugins``: what is installed, what is selected, and why a plugin cannot be used."""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from modulehost.cli import probe
from modulehost.cli.said import note, note_unknown
from modulehost.plugin import discovery
from modulehost.shared.errors import PluginError, one_line


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument(
        "--names", action="store_true", help="print the names alone, and load no plugin; status 0"
    )
    probe.add_timeout(parser)
    parser.epilog = (
        "The exit status is 0 when the selected plugin, marked with *, can be used; else 1."
    )
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print what there is; 1 when no plugin is selected or the selected one cannot be used."""
    found = discovery.find()
    if given.names:
        print(*dict.fromkeys(plugin.name for plugin in found), sep="\n")
        return 0
    note_unknown()
    selected = None
    try:
        selected = discovery.select(found, os.environ.get("MODULE_PLUGIN", "").strip() or None)
    except PluginError as error:
        note(str(error))
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
    with probe.nothing_left():
        pool = ThreadPoolExecutor(os.cpu_count())
        try:
            return list(pool.map(lambda plugin: probe.ask(plugin, timeout).problem, found))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


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
