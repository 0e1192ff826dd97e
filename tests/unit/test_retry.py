"""What may pass is tried again: how often, how long, and what ends it."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.context import Stage, staged
from support.interpreter import modules_after

from modulehost import Cancelled, Context, ModuleError


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """One for each test."""
    with staged(tmp_path) as stage:
        yield stage


class Server:
    """Refuses the first connections."""

    def __init__(self, refuses: int) -> None:
        self.refuses = refuses
        self.calls = 0

    def connect(self) -> str:
        """Connect, or not."""
        self.calls += 1
        if self.calls <= self.refuses:
            raise ConnectionError(f"refused {self.calls}")
        return "connected"


def connect(ctx: Context[Any], server: Server, **how: Any) -> str:
    """Try to."""
    for attempt in ctx.retry(on=ConnectionError, **{"wait": 0.01, **how}):
        with attempt:
            return server.connect()
    raise AssertionError("it ended without a word")


def test_a_block_is_tried_until_it_ends_well(stage: Stage) -> None:
    """And each new try is told."""
    server = Server(3)
    assert connect(stage.context(), server) == "connected"
    assert server.calls == 4
    lines = [line for line in stage.events() if line["event"] == "trying again"]
    assert [(line["attempt"], line["reason"]) for line in lines] == [
        (number, f"ConnectionError: refused {number}") for number in (1, 2, 3)
    ]


def test_the_last_exception_comes_out_as_it_is(stage: Stage) -> None:
    """Once there were so many attempts."""
    server = Server(9)
    with pytest.raises(ConnectionError, match=r"^refused 3$"):
        connect(stage.context(), server, attempts=3)
    assert server.calls == 3


def test_what_will_not_pass_is_not_repeated(stage: Stage) -> None:
    """Another exception comes out at once; so does a cancellation, whatever ``on`` is."""
    tries = []

    def fail(error: Exception) -> None:
        for attempt in stage.context().retry(on=(OSError, Cancelled), wait=0.01):
            with attempt:
                tries.append(error)
                raise error

    for error in (KeyError("x"), Cancelled("the client hung up")):
        with pytest.raises(type(error)):
            fail(error)
    assert len(tries) == 2


def test_no_wait_goes_past_the_deadline(stage: Stage) -> None:
    """The exception comes out while there is time left to act on it."""
    ctx = stage.context(deadline=30)
    with pytest.raises(ConnectionError, match=r"^refused 1$"):
        connect(ctx, Server(9), wait=60, longest_wait=60)
    assert ctx.remaining() > 0


def test_a_cancellation_ends_the_wait(stage: Stage) -> None:
    """At once, though the wait is long."""
    timer = threading.Timer(0.1, stage.cancellation.set, ("the client hung up",))
    timer.start()
    begun = time.monotonic()
    with pytest.raises(Cancelled, match="the client hung up"):
        connect(stage.context(), Server(9), wait=20)
    assert time.monotonic() - begun < 15


def test_a_cancelled_operation_tries_nothing(stage: Stage) -> None:
    """Not once."""
    stage.cancellation.set("the host is stopping")
    server = Server(0)
    with pytest.raises(Cancelled):
        connect(stage.context(), server)
    assert server.calls == 0


def test_without_its_package_it_says_what_to_install(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The extra is named."""
    monkeypatch.setitem(sys.modules, "tenacity", None)
    with pytest.raises(ModuleError, match=r"pip install 'modulehost\[retry\]'"):
        connect(stage.context(), Server(0))


def test_it_is_imported_when_it_is_used() -> None:
    """A plugin that does without pays nothing."""
    modules = modules_after("import modulehost.plugin.context, modulehost.runner.loop")
    assert modules & {"tenacity", "modulehost.plugin.retrying", "modulehost.plugin.ledger"} == set()
