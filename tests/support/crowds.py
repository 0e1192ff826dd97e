"""Crowds of clients, and hosts that have less patience with them."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator

import pytest

from support.host import Host
from support.wire import Wire


def impatient(seconds: float) -> tuple[str, ...]:
    """``modulehost serve`` that gives clients so long where they have half a minute."""
    return (
        "-c",
        f"import modulehost.front.clients as c; c.PATIENCE = {seconds}\n"
        "from modulehost.keeper.serve import main; raise SystemExit(main([]))",
    )


@contextlib.contextmanager
def clients(host: Host, count: int, data: bytes = b"") -> Iterator[list[Wire]]:
    """So many connections that have sent the data."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Wire(host, data)) for _ in range(count)]


@contextlib.contextmanager
def descriptors(count: int) -> Iterator[None]:
    """So many for this process and for the hosts that it starts; skips where they cannot be had."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        pytest.skip(f"only {hard} descriptors a process")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
