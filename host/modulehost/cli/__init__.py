"""The command ``modulehost``: one file a subcommand."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the subcommand; ``serve`` goes its own, short way: it listens before all else."""
    if sys.argv[1:2] == ["serve"] and not {"-h", "--help"} & set(sys.argv[2:]):
        from modulehost.keeper.serve import main as serve

        return serve(sys.argv[2:])
    from modulehost.cli.parser import main as parse

    return parse(sys.argv[1:])
