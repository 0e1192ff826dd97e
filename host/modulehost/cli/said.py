"""What a command tells a person, beside what it prints: a line on standard error."""

from __future__ import annotations

import os
import sys

from modulehost.shared.settings import Settings


def note(words: str) -> None:
    """Say what should be known."""
    sys.stdout.flush()  # so that both come in their order
    print(f"modulehost: {words}", file=sys.stderr)


def note_unknown() -> None:
    """Say which variables look like settings and are none."""
    for words in Settings.unknown(os.environ):
        note(words)


def fail(reason: str, status: int = 1) -> int:
    """Say why it failed; returns the exit status."""
    note(reason)
    return status
