"""``modulehost local``: Modules on this machine, treated as the operator would."""

from __future__ import annotations

import argparse
from pathlib import Path

from modulehost.cli.arguments import add_config, seconds
from modulehost.local.store import STUCK_AFTER

_COMMANDS = {
    "apply": "make a Module of a file, or change it, and install it",
    "list": "list the Modules",
    "describe": "print all there is to know of a Module: phase, host, metadata, events",
    "hibernate": "have a Module sleep, as when its workspace hibernates",
    "resume": "wake a Module up",
    "delete": "uninstall a Module, and forget it",
    "logs": "print the log of a Module's host",
    "run": "take a Module through its whole life, and leave nothing: install, sleep, resume,"
    " uninstall",
}

_EPILOG = """\
What is known of the Modules is under .modulehost in the current folder. In the place of the image
an installed plugin is served, by a host that outlives the command: the one that --plugin or
MODULE_PLUGIN names, the only one that is installed, or that of the package which the image is
called after. The host takes its settings from the environment, as modulehost serve does.

The exit status is 0 when all went well; 1 when the operator would call it a failure; 2 when the
file or an argument is wrong.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _EPILOG
    commands = parser.add_subparsers(dest="local", metavar="COMMAND", required=True)
    made = {}
    for name, summary in _COMMANDS.items():
        made[name] = command = commands.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            allow_abbrev=False,
        )
        if name in ("apply", "run"):
            _add_file(command)
        elif name != "list":
            command.add_argument("name", metavar="NAME", help="the Module's name")
        command.set_defaults(run=run)
    made["apply"].add_argument(
        "--stuck-after",
        type=seconds,
        default=STUCK_AFTER,
        metavar="SECONDS",
        help="how long the Module may be on its way before it is failed (default: %(default)g)",
    )
    made["delete"].add_argument(
        "--force",
        action="store_true",
        help="do not call uninstall: end the host, and forget the Module",
    )
    made["logs"].add_argument(
        "--follow", "-f", action="store_true", help="go on with what is logged from now on"
    )
    made["logs"].add_argument("--json", action="store_true", help="print the lines as they are")


def _add_file(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--file",
        "-f",
        required=True,
        metavar="FILE",
        help="YAML or JSON with Modules, or a definition (kind: Custom); - is standard input",
    )
    add_config(command, "values for a definition, which has none itself")
    command.add_argument("--plugin", metavar="NAME", default="", help="the plugin to serve")
    command.add_argument(
        "--kubeconfig",
        metavar="FILE",
        type=Path,
        help="what a plugin with the permission workspace gets",
    )


def run(given: argparse.Namespace) -> int:
    """Do what the subcommand says."""
    from modulehost.cli.local_commands import run as run_command

    return run_command(given)
