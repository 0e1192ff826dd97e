"""``modulehost local``: Modules on this machine, treated as the operator would."""

from __future__ import annotations

import argparse
from pathlib import Path

from modulehost.cli.arguments import add_config, add_values, seconds
from modulehost.local.state import STUCK_AFTER

_COMMANDS = {
    "apply": "make a Module of a file, or change it, and install it",
    "list": "list the Modules",
    "describe": "print all there is to know of a Module: phase, host, metadata, events",
    "hibernate": "have a Module sleep, or all of a workspace",
    "resume": "wake a Module up; a workspace that wakes up wakes none",
    "fail": "set a Module's phase to failed: the cure for one that was deleted on its way",
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
        elif name in ("hibernate", "resume"):
            which = command.add_mutually_exclusive_group(required=True)
            which.add_argument("module", metavar="NAME", nargs="?", help="the Module's name")
            which.add_argument("--workspace", metavar="NAME", help="a workspace and its Modules")
        elif name != "list":
            command.add_argument("module", metavar="NAME", help="the Module's name")
        command.set_defaults(run=run)
    made["apply"].add_argument(
        "--stuck-after",
        type=seconds,
        default=STUCK_AFTER,
        metavar="SECONDS",
        help="how long the Module may be on its way before it is failed (default: %(default)g)",
    )
    made["run"].add_argument(
        "--watch", action="store_true", help="again whenever the plugin or a file is saved"
    )
    made["list"].add_argument("--names", action="store_true", help="print the names alone")
    made["describe"].add_argument(
        "--json", action="store_true", help="print the Module as kubectl would, and its events"
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
        help="YAML or JSON with Modules; - is standard input",
    )
    command.add_argument("--plugin", metavar="NAME", default="", help="the plugin to serve")
    add_config(command, "values for the Module's spec.config")
    add_values(command)
    command.add_argument(
        "--env-file",
        metavar="FILE",
        help="variables for the host and its plugin, KEY=VALUE a line",
    )
    command.add_argument(
        "--kubeconfig",
        metavar="FILE",
        type=Path,
        help="what a plugin with the permission workspace gets",
    )
    command.add_argument(
        "--no-webhooks",
        action="store_true",
        help="as an operator without webhooks: what they refuse fails the install",
    )
    command.add_argument(
        "--no-validate",
        action="store_true",
        help="as kubectl with --validate=false: unknown fields are dropped, not refused",
    )
    command.add_argument(
        "--crd", metavar="FILE", help="the cluster's CRD of Modules, in the place of ours"
    )


def run(given: argparse.Namespace) -> int:
    """Do what the subcommand says."""
    from modulehost.cli.local_commands import run as run_command

    return run_command(given)
