"""Types of arguments that more than one subcommand takes."""

from __future__ import annotations

import argparse


def pair(text: str) -> tuple[str, str]:
    """``KEY=VALUE`` in two."""
    key, sign, value = text.partition("=")
    if not key or not sign:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return key, value
