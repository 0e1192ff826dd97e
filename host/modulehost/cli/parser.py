"""The arguments of all subcommands but the way of ``serve``."""

from __future__ import annotations

import argparse
from importlib import import_module

from modulehost import __version__
from modulehost.settings import SETTINGS

_COMMANDS = {
    "serve": "serve the plugin: the host itself",
    "plugins": "list the installed plugins, and what is wrong with them",
    "call": "call the host on this machine, as the operator would",
}


def main(arguments: list[str]) -> int:
    """Parse and run; the exit status."""
    parser = argparse.ArgumentParser(
        prog="modulehost",
        description="The host for custom modules of Forkspacer.",
        epilog=settings_help(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
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
        )
        import_module(f"modulehost.cli.{name}").configure(command)
    given = parser.parse_args(arguments)
    status: int = given.run(given)
    return status


def settings_help() -> str:
    """The settings as a table for the terminal."""
    width = max(len(setting.variable) for setting in SETTINGS)
    lines = [
        f"  {s.variable:{width}}  {s.default or '(unset)'}: {s.reason}; {s.takes}" for s in SETTINGS
    ]
    return "\n".join(["settings, from the environment:", *lines])
