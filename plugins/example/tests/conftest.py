"""A stand-in for the host: it calls the manager as the host does and plays the operator's part."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import pytest
import structlog
from structlog.testing import LogCapture

from modulehost import Cancelled
from modulehost_example import Config, Manager
from modulehost_example.store import Store

if TYPE_CHECKING:
    from pathlib import Path


class StandInContext:
    """What the manager uses of a Context; it is cancelled at the given look at it."""

    def __init__(
        self, config: dict[str, Any], metadata: dict[str, Any], cancelled_at: int | None = None
    ) -> None:
        self.config = msgspec.convert(config, Config)
        self.logged = LogCapture()
        self.log = structlog.wrap_logger(None, processors=[self.logged])
        self.checkpoints: list[dict[str, Any]] = []
        self.texts: list[str] = []
        self._metadata = metadata
        self._looks = 0
        self._cancelled_at = cancelled_at

    def raise_if_cancelled(self) -> None:
        """End the operation if this is the look at which it is cancelled."""
        self._looks += 1
        if self._looks == self._cancelled_at:
            raise Cancelled

    def checkpoint(self) -> None:
        """Keep the metadata as it is now."""
        self.checkpoints.append(json.loads(json.dumps(self._metadata)))

    def progress(self, text: str) -> None:
        """Keep the text."""
        self.texts.append(text)


class Module:
    """One module: its config, its metadata and the directory where its resources go."""

    def __init__(self, directory: Path, config: dict[str, Any]) -> None:
        self.directory = directory
        self.config = config
        self.metadata: dict[str, Any] = {}
        self.manager: Any = Manager()
        self.manager.store = Store(str(directory))

    def call(self, operation: str, cancelled_at: int | None = None) -> StandInContext:
        """Call the hook; the metadata is what it left, as JSON with sorted keys, as Go keeps it."""
        ctx = StandInContext(self.config, self.metadata, cancelled_at)
        try:
            assert getattr(self.manager, operation)(ctx, self.metadata) is None
        finally:
            self.metadata = json.loads(json.dumps(self.metadata, sort_keys=True))
        return ctx

    def files(self) -> dict[str, Any]:
        """Every file by its path in the directory, decoded."""
        return {
            str(path.relative_to(self.directory)): json.loads(path.read_bytes())
            for path in self.directory.rglob("*")
            if path.is_file()
        }

    def replicas(self, name: str = "my-app-deployment", namespace: str = "default") -> int:
        """How many replicas the deployment has."""
        replicas: int = self.files()[f"{namespace}/{name}.json"]["replicas"]
        return replicas


class MakeModule(Protocol):
    """Makes another module on the same directory."""

    def __call__(self, **config: Any) -> Module: ...


@pytest.fixture
def make_module(tmp_path: Path) -> MakeModule:
    """Return what makes modules that share a directory, each with the config given."""
    return lambda **config: Module(tmp_path / "cluster", config)


@pytest.fixture
def module(make_module: MakeModule) -> Module:
    """Return a module of three replicas; everything else is by default."""
    return make_module(replicas=3)
