"""The life of one module under the operator's rules, for the tests of a plugin."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from modulehost.plugin.config import FILE
from modulehost.plugin.discovery import Found
from modulehost.plugin.ledger import Created, Ledger
from modulehost.shared.records import OperationName
from modulehost.testing.inprocess import LocalHost, LocalOperator
from modulehost.testing.operator import Operator, Outcome
from modulehost.testing.places import SECRETS, STORE
from modulehost.testing.server import ModuleServer
from modulehost.testing.wire import Server


class OperationFailed(Exception):  # noqa: N818 - what has happened, not what is wrong with a test
    """An operation that the operator takes for a failure; its text is the reason."""

    def __init__(self, operation: str, outcome: Outcome) -> None:
        super().__init__(outcome.body.strip() if outcome.status == 400 else outcome.event)
        self.operation = operation
        self.outcome = outcome


class Module:
    """A module: its operations, called as the operator calls them, and what has come of them.

    ``module.install(config={...})``, ``module.sleep()``, ``module.resume()`` and
    ``module.uninstall()`` raise OperationFailed with the reason that the user would read.
    """

    def __init__(
        self,
        operator: Operator,
        configure: Callable[[Mapping[str, Any]], None],
        logs: Callable[[], list[dict[str, Any]]],
        health: Callable[[], tuple[bool, str]],
        folder: Path,
    ) -> None:
        self.operator = operator
        self._folder = folder
        self._configure = configure
        self._logs = logs
        self._health = health

    @property
    def metadata(self) -> dict[str, Any]:
        """What the operator has stored, and sends with the next call: all numbers are floats."""
        return self.operator.metadata

    @property
    def created(self) -> list[Created]:
        """What the stored metadata has in the ledger, the newest first."""
        return Ledger(self.metadata, lambda: None).created()

    @property
    def secrets(self) -> Path:
        """Where ``ctx.secret`` reads and keeps, as ``NAME/KEY``; unless MODULE_SECRETS is set."""
        return self._folder / SECRETS

    @property
    def store(self) -> Path:
        """Where ``ctx.store`` has its files, unless MODULE_STORE is set."""
        return self._folder / STORE

    @property
    def events(self) -> list[str]:
        """What the user reads in the events of the Module."""
        return self.operator.events

    @property
    def logs(self) -> list[dict[str, Any]]:
        """What was logged: a dict a line, with ``event`` and ``level``."""
        return self._logs()

    def health(self) -> tuple[bool, str]:
        """Whether ``GET /health`` says that the module is well, and its message."""
        return self._health()

    def configure(self, config: Mapping[str, Any]) -> None:
        """Set what the operator mounts as ``config.json``."""
        self._configure(config)

    def install(self, config: Mapping[str, Any] | None = None, **losses: Any) -> Outcome:
        """Install it, with this config from now on.

        ``losses`` of each operation are those of ``Operator.call``, such as
        ``hangs_up_after=0.1`` and ``loses_answer=True``; in this process also ``cancel_at=2``:
        cancelled when the hook looks for the second time.
        """
        if config is not None:
            self.configure(config)
        return self._call("install", **losses)

    def sleep(self, **losses: Any) -> Outcome:
        """Put it to sleep."""
        return self._call("sleep", **losses)

    def resume(self, **losses: Any) -> Outcome:
        """Wake it up."""
        return self._call("resume", **losses)

    def uninstall(self, **losses: Any) -> Outcome:
        """Uninstall it."""
        return self._call("uninstall", **losses)

    def _call(self, operation: OperationName, **losses: Any) -> Outcome:
        outcome = self.operator.call(operation, **losses)
        if not outcome.succeeded:
            raise OperationFailed(operation, outcome)
        return outcome


def in_process(found: Found, folder: Path) -> Module:
    """A module whose plugin runs in this process; raises HostError when it cannot be loaded."""
    host = LocalHost(found, folder)

    def configure(config: Mapping[str, Any]) -> None:
        (host.config_dir / FILE).write_text(json.dumps(config))

    configure({})
    return Module(LocalOperator(host), configure, lambda: host.logs, host.health, folder)


def in_processes(server: ModuleServer, folder: Path) -> Module:
    """A module behind a real host."""

    def health() -> tuple[bool, str]:
        told = Server(server.url).get("/health").json()
        return told["healthy"], told["message"]

    return Module(Operator(server.port), server.configure, lambda: server.logs, health, folder)
