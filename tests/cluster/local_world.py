"""What stories happen in when ``modulehost local`` has the operator's part.

The cluster is the same, and so is what modules make there; but Modules are files, and pods are
hosts that ``modulehost local`` has started, in the cluster's network.
"""

from __future__ import annotations

import base64
import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import yaml
from cluster.api import Api, Document
from cluster.cluster import Cluster
from cluster.images import IMAGES
from cluster.levels import Done
from cluster.steps import LAST_APPLIED
from cluster.world import NAMESPACE, World
from support import site

from modulehost.local import pod
from modulehost.local.errors import RefusedError
from modulehost.local.state import State
from modulehost.local.store import Store
from modulehost.testing.operator import ANNOTATION

_UNINSTALLED: Final = re.compile(
    r"modulehost: (Module uninstallation failed: .*?Finalizer will be removed to allow deletion\.)",
    re.DOTALL,
)


class LocalWorld(World):
    """One folder of Modules, beside the cluster of another world."""

    def __init__(self, world: World, folder: Path) -> None:
        self.store = Store(folder)
        self._cluster = world.level.cluster
        self._folder = folder
        self._running: subprocess.Popen[str] | None = None
        self._is_deleting = False
        self._environ = {k: v for k, v in os.environ.items() if not k.startswith("MODULE")}
        self._events: dict[str, list[tuple[str, str]]] = {}
        self._kubeconfig_file = folder / "kubeconfig"
        super().__init__(_Level(self, self._cluster), _Operator(self))  # type: ignore[arg-type]
        secret = self.api.get("secrets", NAMESPACE, "dev")
        assert secret is not None
        self._kubeconfig_file.write_bytes(base64.b64decode(secret["data"]["kubeconfig"]))
        self.api = _Api(self, self.api)  # type: ignore[assignment]

    def apply(self, name: str, document: Document) -> None:
        """Make a Module of a file; the copy that kubectl keeps is as large under another name."""
        annotations = document["metadata"]["annotations"]
        if copy := annotations.pop(LAST_APPLIED, None):
            annotations["example.com/copy"] = copy
        image = IMAGES[document["spec"]["custom"]["image"]]
        site.install(self._folder / "site", image.plugin)
        self._environ |= {
            "PYTHONPATH": str(self._folder / "site"),
            "MODULE_PLUGIN": image.plugin,
            **image.settings,
        }
        path = self._folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(document))
        stuck = f"--stuck-after={self.operator.stuck_after}"
        kubeconfig = f"--kubeconfig={self._kubeconfig_file}"
        self.begin("apply", "-f", str(path), "--no-webhooks", kubeconfig, stuck)

    def begin(self, *words: str) -> None:
        """Begin a command, when the one before is over."""
        self.finish()
        self._is_deleting = words[0] in ("delete", "fail")
        self._running = subprocess.Popen(
            [self._cluster.home / "in", sys.executable, "-m", "modulehost", "local", *words],
            cwd=self._folder,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self) -> None:
        """Wait until no command runs, and keep what it has told of a Module that is gone."""
        if self._running is not None:
            _, told = self._running.communicate(timeout=60)
            assert self._running.returncode in (0, 1, -signal.SIGKILL), told
            for name, events in self._events.items():
                if self.state(name) is None:
                    events += [("UninstallError", text) for text in _UNINSTALLED.findall(told)]
            self._running = None

    def signal(self, number: signal.Signals) -> None:
        """Send the command that runs a signal."""
        if self._running is not None and self._running.poll() is None:
            self._running.send_signal(number)

    @property
    def command(self) -> int:
        """The number of the command that runs."""
        assert self._running is not None
        return self._running.pid

    def state(self, name: str) -> State | None:
        """What is kept of a Module, also of one that is gone while its host is left."""
        try:
            return self.store.find(name)[1]
        except RefusedError:
            return None

    def module(self, name: str) -> Document | None:
        """The Module."""
        state = self.state(name)
        if state is not None:
            self._events[name] = [(event.reason, event.message) for event in state.events]
        elif self._running is not None and self._is_deleting:
            self.finish()  # it tells the last event
        return None if state is None or state.phase == "deleted" else state.as_object()

    def events(self, name: str) -> list[tuple[str, str]]:
        """Reason and message of each event, also when the Module is gone."""
        self.module(name)
        return self._events.get(name, [])

    def patch(self, name: str, change: Document, part: str = "") -> None:
        """Change a Module as the commands do, and the annotation by hand."""
        del part
        self.finish()
        match change:
            case {"spec": {"hibernated": is_wanted}}:
                self.begin("hibernate" if is_wanted else "resume", name)
            case {"status": {"phase": "failed"}}:
                self.begin("fail", name)
            case {"metadata": {"annotations": annotations}}:
                with self.store.hold(name) as (home, state):
                    state.annotations[ANNOTATION] = annotations[ANNOTATION]
                    home.write(state)

    def pods(self) -> list[Document]:
        """The hosts that are there."""
        return [
            {"metadata": {"name": state.manager["runnerPodName"]}}
            for state in self.store.states()
            if state.pod is not None and pod.is_alive(state.pod)
        ]

    def end(self) -> None:
        """End all hosts."""
        self.signal(signal.SIGKILL)
        self.finish()
        for name in self.store.names():
            self.begin("delete", "--force", name)
            self.finish()


class _Api:
    """The cluster's API, in which Modules and their pods are what ``modulehost local`` has."""

    def __init__(self, world: LocalWorld, api: Api) -> None:
        self._world = world
        self._api = api

    def __getattr__(self, name: str) -> Any:
        return getattr(self._api, name)

    def find(self, plural: str, namespace: str = "", **query: str) -> list[Document]:
        """Pods and Services go together."""
        if plural in ("pods", "services"):
            return self._world.pods()
        return self._api.find(plural, namespace, **query)

    def get(self, plural: str, namespace: str, name: str) -> Document | None:
        """A pod by its name."""
        if plural == "pods":
            found = [one for one in self._world.pods() if one["metadata"]["name"] == name]
            return found[0] if found else None
        return self._api.get(plural, namespace, name)

    def delete(self, plural: str, namespace: str, name: str) -> None:
        """A Module by its name, a pod with all it has."""
        del namespace
        if plural == "modules":
            self._world.begin("delete", name)
        for state in self._world.store.states() if plural == "pods" else ():
            if state.manager.get("runnerPodName") == name and state.pod is not None:
                self._world.finish()
                pod.let_go(state.pod)
                pod.stop(state.pod)


class _Operator:
    """The command that runs has the operator's part; its idle connection ends with it."""

    is_real = False
    stuck_after = 3.0

    def __init__(self, world: LocalWorld) -> None:
        self._world = world

    def start(self) -> None:
        """There is one whenever a command runs."""

    def kill(self) -> None:
        """End the command at once, and close what it has left open."""
        self._world.signal(signal.SIGKILL)
        self._world.finish()
        for state in self._world.store.states():
            if state.pod is not None:
                pod.let_go(state.pod)

    def pause(self) -> None:
        """Have it do nothing."""
        self._world.signal(signal.SIGSTOP)

    def answer_waits(self) -> bool:
        """Whether an answer is there that it has not read."""
        files = Path(f"/proc/{self._world.command}")
        own = set()
        for link in (files / "fd").iterdir():
            with suppress(OSError):
                own.add(str(link.readlink()))
        rows = [line.split() for line in (files / "net/tcp").read_text().splitlines()[1:]]
        return any(f"socket:[{row[9]}]" in own and int(row[4].split(":")[1], 16) for row in rows)


class _Level:
    """The hosts in the place of pods."""

    def __init__(self, world: LocalWorld, cluster: Cluster) -> None:
        self.cluster = cluster
        self._world = world

    def log(self, name: str) -> str:
        """What the host has printed."""
        for module in self._world.store.names():
            home, state = self._world.store.find(module)
            if state.manager.get("runnerPodName") == name:
                return home.log.read_text()
        return ""

    def execute(self, name: str, *command: str) -> Done:
        """Run a command with the environment of the host."""
        for state in self._world.store.states():
            if state.manager.get("runnerPodName") == name and state.pod is not None:
                variables = Path(f"/proc/{state.pod.pid}/environ").read_text().rstrip("\0")
                environ = dict(pair.split("=", 1) for pair in variables.split("\0"))
                environ["PATH"] = f"{Path(sys.executable).parent}:{environ['PATH']}"
                return subprocess.run(
                    [self.cluster.home / "in", *command],
                    env=environ,
                    capture_output=True,
                    text=True,
                    check=False,
                )
        raise AssertionError(f"there is no {name}")
