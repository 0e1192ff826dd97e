"""The arguments of all subcommands but the way of ``serve``."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import textwrap
from importlib import import_module

from modulehost import __version__
from modulehost.shared.settings import SETTINGS

_COMMANDS = {
    "serve": "serve the plugin: the host itself",
    "plugins": "list the installed plugins, and what is wrong with them",
    "call": "call the host on this machine, as the operator would",
    "definition": "print the document that tells the operator of a plugin",
    "new": "make a plugin package to start from",
    "check": "check whether a module server keeps the contract",
    "completion": "print the script by which a shell completes these commands",
    "local": "apply Modules on this machine, as the operator would in a cluster",
}


def main(arguments: list[str]) -> int:
    """Parse and run; the exit status."""
    try:
        try:
            given = make_parser().parse_args(arguments)
            status: int = given.run(given)
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever reads, as head does, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # else the interpreter complains at its end
        return 1
    return status


def make_parser() -> argparse.ArgumentParser:
    """The parser with those of all subcommands."""
    parser = argparse.ArgumentParser(
        prog="modulehost",
        description="The host for custom modules of Forkspacer.",
        epilog=settings_help(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"modulehost {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary in _COMMANDS.items():
        command = commands.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            epilog=settings_help() if name == "serve" else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        import_module(f"modulehost.cli.{name}").configure(command)
    return parser


def settings_help() -> str:
    """The settings as a table for the terminal: variable, default, what it is for."""
    variable = max(len(setting.variable) for setting in SETTINGS)
    default = max(len(setting.default) for setting in SETTINGS)
    room = min(shutil.get_terminal_size().columns, 100) - variable - default - 6
    lines = ["settings, from the environment:"]
    for s in SETTINGS:
        words = f"{s.reason}; it takes {s.takes}"
        first, *others = textwrap.wrap(words, max(room, 30), break_on_hyphens=False)
        lines.append(f"  {s.variable:{variable}}  {s.default or '-':{default}}  {first}")
        lines += [" " * (variable + default + 6) + other for other in others]
    return "\n".join(lines)
