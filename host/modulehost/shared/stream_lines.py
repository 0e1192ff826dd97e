"""Lines of what a program writes: redacted, then cut, in the bunches in which they come."""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Iterator
from typing import Final

from modulehost.shared.redaction import Stream

PATIENCE: Final = 1.0
"""Seconds after which whole lines are let go that might be the beginning of a secret of more."""

_READ: Final = 1 << 16


def read_lines(
    fd: int, stream: Stream, longest: int, keep: Callable[[bytes], object] | None = None
) -> Iterator[list[bytes]]:
    """Lines without their ends until the descriptor's end; blank ones are left out.

    A line is cut after ``longest`` bytes. ``keep`` gets what was read, secrets and all.
    """
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    rest = b""
    while True:
        if stream.holds_lines and not poll.poll(PATIENCE * 1000):
            rest += stream.flush_lines()
        elif chunk := os.read(fd, _READ):
            if keep:
                keep(chunk)
            rest += stream.feed(chunk)
        else:
            break
        *lines, rest = rest.replace(b"\r", b"\n").split(b"\n")
        if len(rest) >= longest:
            whole = len(rest) // longest * longest
            lines, rest = [*lines, rest[:whole]], rest[whole:]
        yield _cut(lines, longest)
    yield _cut((rest + stream.flush()).replace(b"\r", b"\n").split(b"\n"), longest)


def _cut(lines: list[bytes], longest: int) -> list[bytes]:
    found = []
    for line in lines:
        if len(line) <= longest:
            found.append(line)
        else:
            found += [line[at : at + longest] for at in range(0, len(line), longest)]
    return [line for line in found if line and not line.isspace()]
