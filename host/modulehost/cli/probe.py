"""``python -m modulehost.cli.probe``: load one plugin and report what is wrong with it.

A process of its own, for a plugin can do anything while it is imported: end it, hang it, print.
"""

from __future__ import annotations

import os
import sys

import msgspec

from modulehost import discovery, linux
from modulehost.errors import PluginError


def main() -> None:
    """Report to the descriptor in the arguments: JSON, the problem or null."""
    report, parent, *found = sys.argv[1:]
    linux.die_with_parent(int(parent))
    os.set_inheritable(int(report), False)
    problem = None
    try:
        discovery.load(discovery.Found(*found))
    except PluginError as error:
        problem = str(error)
    os.write(int(report), msgspec.json.encode(problem))
    os._exit(0)  # threads that the plugin has started could hold up any other end


if __name__ == "__main__":
    main()
