"""The runner's second thread: takes what the front asks, sends copies of the metadata."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable
from os import _exit
from sys import getrecursionlimit, setrecursionlimit
from typing import Final

from modulehost.runner.interpreter import Interpreter
from modulehost.runner.operation import Operation
from modulehost.runner.secrets import Secrets
from modulehost.shared import linux
from modulehost.shared.channel import Channel, ChannelClosedError
from modulehost.shared.records import LOST, AskHealth, Cancel, KnowSecrets, SecretsKnown

LOOK_EVERY: Final = 0.25
"""Seconds between two looks at the metadata: half of what is promised, for a busy machine."""

_MOST_FAILURES = 1000  # in a row


class Control(threading.Thread):
    """When the front has gone, it ends everything here at once."""

    def __init__(
        self,
        channel: Channel,
        interpreter: Interpreter,
        secrets: Secrets,
        ask: Callable[[AskHealth], None],
    ) -> None:
        super().__init__(name="control", daemon=True)
        self._channel = channel
        self._interpreter = interpreter
        self._secrets = secrets
        self._ask = ask
        self._operation: Operation | None = None
        self._cancelled: Cancel | None = None
        self._failures = 0

    def begin(self, operation: Operation) -> None:
        """An operation begins; its cancellation may be here already."""
        self._operation = operation
        self._pass_on(self._cancelled)

    def end(self) -> None:
        """The operation has ended."""
        self._operation = None

    def run(self) -> None:
        limit = getrecursionlimit()
        while self._failures < _MOST_FAILURES:
            try:
                self._listen()
            except ChannelClosedError:
                break
            except BaseException:  # noqa: BLE001 - of what the plugin has done to the interpreter
                setrecursionlimit(limit)  # first of all: it may be too low for any call of ours
                self._failures += 1
                self._interpreter.put_all_back()
        end()

    def _listen(self) -> None:
        poll = select.poll()
        poll.register(self._channel.fileno(), select.POLLIN)
        look_at = time.monotonic() + LOOK_EVERY
        while True:
            if poll.poll(max(0.0, look_at - time.monotonic()) * 1000):
                for record in self._channel.available():
                    match record:
                        case Cancel():
                            self._cancelled = record
                            self._pass_on(record)
                        case AskHealth():
                            self._ask(record)
                        case KnowSecrets() | SecretsKnown():
                            self._secrets.take(record)
            if time.monotonic() >= look_at:
                look_at = time.monotonic() + LOOK_EVERY
                if (operation := self._operation) is not None:
                    operation.snapshot()
            self._failures = 0

    def _pass_on(self, record: Cancel | None) -> None:
        operation = self._operation
        if operation and record and operation.call.id == record.id:
            operation.cancellation.set(record.reason)


def end() -> None:
    """End this process and all that the plugin has started in it."""
    try:
        linux.kill_descendants(os.getpid())
    finally:
        _exit(LOST)
