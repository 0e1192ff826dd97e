"""``modulehost local`` in a folder of the test, whose hosts are gone when the test is over."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from support import site
from support.host import MARK
from support.processes import command, tree, wait_until, with_variable

from modulehost.local.state import State
from modulehost.local.store import Store


class Local:
    """A person in a folder, with plugins of ``tests/plugins`` installed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mark = uuid.uuid4().hex
        self.site = folder / "site"
        self.environ = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("MODULE", "GUNICORN"))},
            "PYTHONPATH": str(self.site),
            "TEST_FOLDER": str(folder),
            "COLUMNS": "100",
            MARK: self.mark,
        }

    def module(
        self,
        plugin: str = "good",
        *,
        name: str = "shop",
        config: Mapping[str, Any] | None = None,
        items: list[dict[str, Any]] | None = None,
        **spec: Any,
    ) -> Path:
        """A file with a Module of that plugin, which is installed."""
        if not (self.site / f"{plugin}.py").exists():
            site.install(self.site, plugin)
        self.environ["MODULE_PLUGIN"] = plugin
        document = {
            "apiVersion": "batch.forkspacer.com/v1",
            "kind": "Module",
            "metadata": {"name": name},
            "config": items or [],
            "spec": {
                "workspace": {"name": "dev"},
                "custom": {"image": f"x/test-{plugin}:1"},
                **({} if config is None else {"config": dict(config)}),
                **spec,
            },
        }
        path = self.folder / f"{name}.yaml"
        path.write_text(json.dumps(document))
        return path

    def start(self, *arguments: object, **settings: object) -> subprocess.Popen[str]:
        """Begin a command of ``modulehost local``."""
        return subprocess.Popen(
            [sys.executable, "-m", "modulehost", "local", *map(str, arguments)],
            cwd=self.folder,
            env=self.environ | {name: str(value) for name, value in settings.items()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments: object, **settings: object) -> subprocess.CompletedProcess[str]:
        """Call ``modulehost local``."""
        process = self.start(*arguments, **settings)
        out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def good(self, *arguments: object, **settings: object) -> str:
        """Call it where nothing goes wrong; what it prints."""
        result = self(*arguments, **settings)
        assert (result.returncode, result.stderr) == (0, ""), result.stdout
        return result.stdout

    def bad(self, *arguments: object, status: int = 1, **settings: object) -> str:
        """Call it where something goes wrong; what it says of that."""
        result = self(*arguments, **settings)
        assert result.returncode == status, result.stdout + result.stderr
        assert "Traceback" not in result.stderr
        return result.stderr

    def state(self, name: str = "shop") -> State:
        """What is kept of a Module."""
        _, state = Store(self.folder).find(name)
        return state

    def metadata(self, name: str = "shop") -> Any:
        """Its metadata."""
        return self.state(name).metadata

    def let_time_pass(self, seconds: float, name: str = "shop") -> None:
        """As if a Module had begun its phase so much earlier."""
        home, state = Store(self.folder).find(name)
        state.since -= seconds
        home.write(state)

    def state_files(self, name: str = "shop") -> list[Path]:
        """What its host keeps on disk."""
        home, _ = Store(self.folder).find(name)
        return [path for path in home.state.rglob("*") if path.is_file()]

    @property
    def connections(self) -> list[int]:
        """The processes that keep the operator's idle connections open."""
        return [pid for pid in with_variable(MARK, self.mark) if command(pid).startswith("sleep")]

    @property
    def hosts(self) -> list[int]:
        """The first processes of all hosts that are there."""
        found = [pid for pid in with_variable(MARK, self.mark) if "serve" in command(pid)]
        below = {pid for parent in found for pid in tree(parent)[1:]}
        return [pid for pid in found if pid not in below]


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Local]:
    """A folder to work in."""
    made = Local(tmp_path)
    yield made
    for pid in [*made.hosts, *made.connections]:
        os.kill(pid, signal.SIGTERM)
    try:
        wait_until(lambda: not with_variable(MARK, made.mark), "all hosts are gone", 20)
    finally:
        for pid in with_variable(MARK, made.mark):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
