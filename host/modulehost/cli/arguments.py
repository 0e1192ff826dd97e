"""Arguments that more than one subcommand takes."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any


def pair(text: str) -> tuple[str, str]:
    """``KEY=VALUE`` in two."""
    key, sign, value = text.partition("=")
    if not key or not sign:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return key, value


def from_json(text: str) -> Any:
    """A value that was typed: JSON, or else text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def seconds(text: str) -> float:
    """A number of seconds above 0."""
    value = float(text)
    if not 0 < value < 1e6:
        raise ValueError
    return value


def add_values(parser: argparse.ArgumentParser) -> None:
    """Declare ``--values FILE``."""
    parser.add_argument(
        "--values",
        metavar="FILE",
        help="a file of YAML or JSON with values for spec.config; --config wins",
    )


def add_config(
    parser: argparse.ArgumentParser,
    help: str,  # noqa: A002 - as in argparse
    read: Callable[[str], tuple[str, object]] = pair,
) -> None:
    """Declare ``--config KEY=VALUE ...``, which may be given several times."""
    parser.add_argument(
        "--config",
        metavar="KEY=VALUE",
        nargs="+",
        action="extend",
        default=[],
        type=read,
        help=help,
    )
