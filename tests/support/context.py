"""A Context without a host: what a hook is given, and what it has asked for."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from modulehost import Context
from modulehost.plugin.cancellation import Cancellation
from modulehost.shared.logs import Log
from modulehost.shared.redaction import Redactor
from modulehost.shared.settings import Settings
from support.processes import wait_until, with_variable

SOON = 10.0
GRACE = 0.4
MARK = "MODULE_TEST_CONTEXT"


class Stage:
    """A context's host: how to cancel it, and what it was asked for."""

    grace = GRACE
    settings = Settings.from_env({})

    def __init__(self, file: IO[bytes]) -> None:
        self.metadata: dict[str, Any] = {}
        self.cancellation = Cancellation()
        self.asked: list[str] = []
        self.mark = uuid.uuid4().hex
        self._file = file
        self.redactor = Redactor()
        self._log = Log(file.fileno(), "info", "json", self.redactor.text)

    def context(self, deadline: float = 60) -> Context[Any]:
        """A context that ends in so many seconds."""
        return Context(
            operation="install",
            request_id="id",
            config={"a": 1},
            kubeconfig=None,
            deadline=deadline,
            cancellation=self.cancellation,
            host=self,
        )

    def log(self) -> Any:
        """The logger that a context hands out."""
        return self._log.structlog.bind(operation="install")

    def checkpoint(self) -> None:
        """Note that it was asked for."""
        self.asked.append("checkpoint")

    def program_failed(self, output: str) -> None:
        """Note what it has written."""
        self.asked.append(f"failed: {output}")

    def progress(self, text: str) -> None:
        """Note it."""
        self.asked.append(text)

    def redact(self, secrets: Iterable[str]) -> None:
        """Take them out of what is logged."""
        self.redactor.add(secrets)

    def environ(self) -> dict[str, str]:
        """An environment by which the processes can be found."""
        return {**os.environ, MARK: self.mark}

    def cancel_when(self, condition: Callable[[], object]) -> None:
        """Cancel once something holds."""

        def work() -> None:
            wait_until(condition, "the moment to cancel", SOON)
            self.cancellation.set("the client hung up")

        threading.Thread(target=work, daemon=True).start()

    def events(self) -> list[dict[str, Any]]:
        """What was logged."""
        text = os.pread(self._file.fileno(), 1 << 24, 0)
        return [json.loads(line) for line in text.splitlines()]


@contextlib.contextmanager
def staged(folder: Path) -> Iterator[Stage]:
    """One that logs into the folder; at the end nothing that was run in it is left."""
    with (folder / "log").open("w+b") as file:
        stage = Stage(file)
        yield stage
        stage.cancellation.close()
    assert with_variable(MARK, stage.mark) == []
