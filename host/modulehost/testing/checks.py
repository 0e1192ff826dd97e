"""Conformance: whether a module server keeps the contract.

with Checks.of_url("http://localhost:8080", may_change=True) as checks:
    for check in checks.selected:
        print(check.id, checks.run(check))
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self

from modulehost.plugin.discovery import Found
from modulehost.shared.errors import one_line
from modulehost.testing.contract import CHECKS, Check, Scope, unknown
from modulehost.testing.kill_check import Leftovers
from modulehost.testing.places import places
from modulehost.testing.server import HostStartError
from modulehost.testing.target import DEFAULT_TIMEOUT, Broken, PluginTarget, Skipped, Target
from modulehost.testing.wire import Server, WireError


class Result(NamedTuple):
    """What has come of a check."""

    check: Check
    outcome: Literal["passed", "failed", "skipped"]
    reason: str
    seconds: float


class Checks:
    """The checks of one target. Use it in a ``with`` block."""

    def __init__(self, target: Target, scopes: Iterable[Scope]) -> None:
        self.target = target
        self.selected = [check for check in CHECKS if check.scope in set(scopes)]

    @classmethod
    def of_plugin(
        cls,
        found: Found,
        folder: Path,
        config: dict[str, Any] | None = None,
        settings: dict[str, Any] | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        leftovers: Leftovers | None = None,
    ) -> Checks:
        """All checks, of an installed plugin; ``folder`` takes what its hosts write."""
        settings = {**places(folder), **(settings or {})}
        target = PluginTarget(found, folder, config or {}, settings, timeout, leftovers)
        return cls(target, ("reads", "changes", "plugin"))

    @classmethod
    def of_url(
        cls,
        url: str,
        config: dict[str, Any] | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        *,
        may_change: bool = False,
    ) -> Checks:
        """The checks of the wire; without ``may_change`` those that leave the module alone."""
        scopes: tuple[Scope, ...] = ("reads", "changes") if may_change else ("reads",)
        return cls(Target(Server(url, timeout), config), scopes)

    def select(self, only: Iterable[str] = (), skip: Iterable[str] = ()) -> None:
        """Leave out some; raises ValueError for an id that there is not."""
        only, skip = list(only), list(skip)
        unknown(*only, *skip)
        self.selected = [
            check
            for check in self.selected
            if check.id not in skip and (not only or check.id in only)
        ]

    def run(self, check: Check) -> Result:
        """Make one check."""
        begun = time.monotonic()
        outcome: Literal["passed", "failed", "skipped"] = "passed"
        reason = ""
        try:
            check.run(self.target)
        except Skipped as error:
            outcome, reason = "skipped", str(error)
        except (Broken, WireError, HostStartError) as error:
            outcome, reason = "failed", str(error)
        if outcome == "failed":
            self.target.renew()
        return Result(check, outcome, one_line(reason), time.monotonic() - begun)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop what was started."""
        self.target.close()
