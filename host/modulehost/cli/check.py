"""``modulehost check``: does a module server keep the contract?"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from modulehost.cli import probe
from modulehost.cli.arguments import add_config, from_json, pair, seconds
from modulehost.cli.report import Report, to_json, to_junit
from modulehost.cli.said import fail, note_unknown
from modulehost.plugin import discovery
from modulehost.shared.errors import PluginError
from modulehost.testing.wire import Server, WireError

if TYPE_CHECKING:
    from modulehost.testing.checks import Checks
    from modulehost.testing.kill_check import Leftovers


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "target",
        metavar="TARGET",
        help="the name of an installed plugin, or the URL of a module server in any language",
    )
    add_config(
        parser,
        "the module's config; a value is JSON, or else text. A server at a URL is given it in"
        " the body of the first call",
        _pair,
    )
    parser.add_argument(
        "--yes",
        action="store_true",
        help="a URL: make the checks that install and uninstall its module, too",
    )
    parser.add_argument(
        "--only", metavar="ID", nargs="+", action="extend", default=[], help="these"
    )
    parser.add_argument(
        "--skip", metavar="ID", nargs="+", action="extend", default=[], help="make all but these"
    )
    parser.add_argument(
        "--leftovers",
        metavar="MODULE:FUNCTION",
        help="a plugin: what names the things that it has made and not removed, for the check"
        " killed; the function is given the config, with its defaults",
    )
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=60.0,
        metavar="SECONDS",
        help="how long an answer may take (default: 60)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--junit", metavar="FILE", type=Path, help="write the results as JUnit XML")
    parser.epilog = (
        "The exit status is 0 when all checks that were made have passed; 1 when one has failed,\n"
        "or none was made; 2 when TARGET or an option is wrong."
    )
    parser.set_defaults(run=run)


def _pair(text: str) -> tuple[str, Any]:
    key, value = pair(text)
    return key, from_json(value)


def run(given: argparse.Namespace) -> int:
    """Make the checks and print what has come of them; 1 when the contract is broken."""
    note_unknown()
    signal.signal(signal.SIGTERM, _stop)  # the hosts that were started must not outlive us
    with tempfile.TemporaryDirectory(prefix="modulehost-check-") as folder, probe.nothing_left():
        try:
            checks = _checks(given, Path(folder))
            checks.select(given.only, given.skip)
        except (PluginError, ValueError) as error:
            return fail(str(error).removeprefix("MODULE_PLUGIN="), 2)
        except WireError as error:
            return fail(f"{given.target}: {error}; is the server running?", 1)
        with checks:
            report = Report(given.target, live=not given.json)
            for check in checks.selected:
                report.add(checks.run(check))
    if given.junit is not None:
        try:
            given.junit.write_text(to_junit(given.target, report.results), encoding="utf-8")
        except OSError as error:
            return fail(f"{given.junit} cannot be written: {error.strerror}", 2)
    if given.json:
        print(to_json(given.target, report.results))
    report.end(list(_notes(given, report)))
    return 0 if report.is_good else 1


def _stop(number: int, _frame: object) -> NoReturn:
    sys.exit(128 + number)


def _checks(given: argparse.Namespace, folder: Path) -> Checks:
    from modulehost.testing.checks import Checks

    config = dict(given.config)
    if "://" in given.target:
        if given.leftovers is not None:
            raise ValueError("--leftovers is for an installed plugin, not for a URL")
        Server(given.target, given.timeout).connect().close()
        return Checks.of_url(given.target, config, given.timeout, may_change=given.yes)
    found = discovery.select(discovery.find(), given.target)
    leftovers = _leftovers(given.leftovers)
    return Checks.of_plugin(found, folder, config, timeout=given.timeout, leftovers=leftovers)


def _leftovers(name: str | None) -> Leftovers | None:
    from modulehost.testing.kill_check import named

    if name is None:
        return None
    sys.path.insert(0, str(Path.cwd()))  # tests are often not installed
    return named(name)


def _notes(given: argparse.Namespace, report: Report) -> Iterator[str]:
    """What a person should know beside the results."""
    if "://" in given.target and not given.yes:
        yield "the checks that install and uninstall the module were left out: add --yes for them"
    if not report.made:
        yield "no check was made: that proves nothing"
    if not given.config and any(" config: " in f" {r.reason}" for r in report.failed):
        yield "the module needs config: give it with --config KEY=VALUE"
