"""``modulehost definition``: what the operator is given, made from the plugin's schema."""

from __future__ import annotations

import argparse
import os
import sys
from importlib.util import find_spec

from modulehost.cli import probe
from modulehost.cli.arguments import add_config, add_values
from modulehost.cli.local_files import values_of
from modulehost.cli.said import fail, note
from modulehost.local.errors import RefusedError
from modulehost.plugin import discovery
from modulehost.shared.errors import PluginError


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "plugin",
        nargs="?",
        metavar="PLUGIN",
        help="the name of the plugin; without it the one that would be served",
    )
    parser.add_argument(
        "--format",
        choices=("custom", "module"),
        default="module",
        help="module: a Module, for operators since 2025-10 (the default); custom: a resource"
        " definition, for those before, which the others do not take",
    )
    parser.add_argument("--image", metavar="REF", help="the plugin's image")
    add_config(parser, "values for the Module's spec.config")
    add_values(parser)
    probe.add_timeout(parser)
    parser.epilog = (
        "Prints YAML. What the operator is known to get wrong is told on standard error; the exit\n"
        "status is 0 all the same, 1 when the plugin cannot be used."
    )
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print the document, and what is to be said about it."""
    if find_spec("yaml") is None:
        return fail("YAML takes a package more: pip install 'modulehost[cli]'", 1)
    name = given.plugin or os.environ.get("MODULE_PLUGIN", "").strip() or None
    try:
        plugin = discovery.select(discovery.find(), name)
    except PluginError as error:
        reason = str(error)
        return fail(reason.removeprefix("MODULE_PLUGIN=") if given.plugin else reason, 1)
    try:
        values = values_of(given)
    except RefusedError as error:
        return fail(str(error), 2)
    question = {
        "format": given.format,
        "image": given.image,
        "config": dict(given.config),
        "values": values,
    }
    with probe.nothing_left():
        report = probe.ask(plugin, given.timeout, question)
    if report.problem is not None:
        return fail(report.problem, 1)
    if refused := report.answer["refused"]:
        return fail(refused, 2)
    if given.format == "custom":
        note("the operator since 2025-10 does not take it: --format module prints what it takes")
    for warning in report.answer["warnings"]:
        note(warning)
    from modulehost.plugin.definition_yaml import to_yaml

    made = to_yaml(report.answer["document"], report.answer["comments"])
    sys.stdout.buffer.write(made.encode())
    return 0
