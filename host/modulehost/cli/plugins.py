"""``modulehost plugins``: what is installed, what is selected, and why a plugin cannot be used."""

from __future__ import annotations

import argparse
import os
from typing import Any

import msgspec

from modulehost import discovery
from modulehost.errors import PluginError


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print the table; 1 when the selected plugin cannot be used."""
    found = discovery.find()
    try:
        selected = discovery.select(found, os.environ.get("MODULE_PLUGIN") or None)
        problem = ""
    except PluginError as error:
        selected, problem = None, str(error)
    rows = [_row(plugin, plugin == selected) for plugin in found]
    if given.json:
        print(msgspec.json.format(msgspec.json.encode(rows)).decode())
    else:
        _print_table(rows)
        if problem:
            print(problem)
    return 0 if any(row["selected"] and not row["problem"] for row in rows) else 1


def _row(plugin: discovery.Found, selected: bool) -> dict[str, Any]:
    try:
        discovery.load(plugin)
        problem = None
    except PluginError as error:
        problem = str(error)
    return {
        "name": plugin.name,
        "package": plugin.package,
        "version": plugin.version,
        "summary": plugin.summary,
        "selected": selected,
        "problem": problem,
    }


def _print_table(rows: list[dict[str, Any]]) -> None:
    head = ("", "NAME", "PACKAGE", "VERSION", "SUMMARY")
    lines = [
        ("*" if r["selected"] else "", r["name"], r["package"], r["version"], r["summary"])
        for r in rows
    ]
    widths = [max(len(line[column]) for line in (head, *lines)) for column in range(len(head))]
    for line, row in zip((head, *lines), [None, *rows], strict=True):
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())
        if row and row["problem"]:
            print(f"   cannot be used: {row['problem']}")
