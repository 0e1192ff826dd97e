"""A module whose operations are programs, and what calls its manager as the host does."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import LogCapture
from support.processes import wait_until

from modulehost.plugin.cancellation import Cancellation
from modulehost.plugin.config import Schema
from modulehost.plugin.context import Context
from modulehost.shared import metadata
from modulehost.shared.errors import MetadataError, ModuleError
from modulehost.shared.redaction import Redactor
from modulehost.shared.settings import Settings
from modulehost_command import Manager

GRACE = 1.0
"""Seconds that a cancelled program has: half of them until SIGKILL."""

OPERATIONS = ("install", "uninstall", "sleep", "resume")


@dataclass
class _Host:
    """What a context asks of the host."""

    logger: Any
    checkpoint: Callable[[], None]
    said: list[str]
    grace: float = GRACE
    redactor: Redactor = field(default_factory=Redactor)
    metadata: None = None
    settings: Settings = field(default_factory=lambda: Settings.from_env({}))

    def redact(self, secrets: Iterable[str]) -> None:
        self.redactor.add(secrets)

    def log(self) -> Any:
        return self.logger

    def progress(self, text: str) -> None:
        self.said.append(text)

    def program_failed(self, output: str) -> None:
        pass


class Module:
    """The folder of the programs, the config, the metadata; every call has a real Context."""

    def __init__(self, root: Path, patch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.folder = root / "module"
        self.folder.mkdir()
        self.temporary = root / "tmp"
        self.temporary.mkdir()
        for name in [*os.environ]:
            if name.startswith("MODULE_") or name == "KUBECONFIG":
                patch.delenv(name)
        patch.setenv("COMMAND_DIR", str(self.folder))
        patch.setenv("TMPDIR", str(self.temporary))
        patch.setenv("OUT", str(root))
        for operation in OPERATIONS:
            self.program(operation, "exit 0")
        self.config: dict[str, Any] = {}
        self.metadata: dict[str, Any] = {}
        self.kubeconfig: str | None = None
        self.deadline = 30.0
        self.logged = LogCapture()
        self.progress: list[str] = []
        self.kept: list[dict[str, Any]] = []

    def program(self, operation: str, script: str, first_line: str = "#!/bin/sh") -> Path:
        """Write an executable; by default a shell script."""
        path = self.folder / operation
        path.write_text(f"{first_line}\n{script}\n")
        path.chmod(0o755)
        return path

    def call(
        self,
        operation: str,
        *,
        meanwhile: Callable[[], None] = lambda: None,
        cancel_when: Callable[[], bool] | None = None,
    ) -> None:
        """Call the hook; meanwhile something else is done, or waited for to cancel it."""
        cancellation = Cancellation()
        manager: Any = Manager()
        log = structlog.wrap_logger(None, processors=[self.logged])
        config, _ = Schema(manager.config).convert(self.config)
        context: Context[Any] = Context(
            operation=operation,
            request_id="r-1",
            config=config,
            kubeconfig=self.kubeconfig,
            deadline=self.deadline,
            cancellation=cancellation,
            host=_Host(log, self._keep, self.progress),
        )

        def beside() -> None:
            try:
                meanwhile()
                if cancel_when is not None:
                    wait_until(cancel_when, "the time to cancel")
                    cancellation.set("the test says so")
            except BaseException:
                cancellation.set("the test failed")
                raise

        with ThreadPoolExecutor(1) as pool:
            other = pool.submit(beside)
            try:
                arguments = () if operation == "health" else (self.metadata,)
                assert getattr(manager, operation)(context, *arguments) is None
            finally:
                other.result()
                cancellation.close()

    def _keep(self) -> None:
        try:
            self.kept.append(metadata.decode(metadata.encode(self.metadata, 1 << 20)))
        except MetadataError as error:
            raise ModuleError(f"checkpoint: {error}") from None

    def out(self, name: str) -> str:
        """What a program has written to ``$OUT/NAME``."""
        return (self.root / name).read_text()

    def lines(self, level: str | None = None) -> list[str]:
        """What was logged."""
        return [e["event"] for e in self.logged.entries if level in (None, e["log_level"])]
