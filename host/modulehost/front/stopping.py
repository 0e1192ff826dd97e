"""Whether the whole host stops, or only a worker that is replaced: both are told by SIGTERM."""

from __future__ import annotations

import os
import select

_told = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)  # made in the arbiter, shared by its forks


def announce() -> None:
    """The arbiter stops, and its workers with it."""
    os.eventfd_write(_told, 1)


def is_announced() -> bool:
    """Whether the arbiter has said so."""
    poll = select.poll()
    poll.register(_told, select.POLLIN)
    return bool(poll.poll(0))
