"""What a command tells a person, beside what it prints: a line on standard error."""

from __future__ import annotations

import sys


def note(words: str) -> None:
    """Say what should be known."""
    sys.stdout.flush()  # so that both come in their order
    print(f"modulehost: {words}", file=sys.stderr)


def fail(reason: str, status: int = 1) -> int:
    """Say why it failed; returns the exit status."""
    note(reason)
    return status
