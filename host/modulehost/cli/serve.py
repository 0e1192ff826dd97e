"""``modulehost serve``: here for its help; ``modulehost.keeper.serve`` is what runs."""

from __future__ import annotations

import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--port", "-p", metavar="PORT", help="the TCP port; wins over PORT")
    parser.add_argument(
        "--reload",
        action="store_true",
        help="for development: load the plugin again when its files have changed; never sleep",
    )
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT."""
    from modulehost.keeper.serve import main

    arguments = [] if given.port is None else ["--port", given.port]
    return main([*arguments, "--reload"] if given.reload else arguments)
