"""What stories happen in: a cluster, an operator, a workspace, and what a module has made there."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any, Final

from cluster.api import MERGE, Document
from cluster.levels import Level
from cluster.operators import RACES, Operator
from cluster.runner_pod import NAMESPACE as PODS
from support.processes import wait_until

from modulehost.testing.operator import ANNOTATION

NAMESPACE: Final = "stories"
WORKSPACE: Final = "dev"

_PATIENCE = 90.0  # seconds; the operator itself waits 30 for a pod that has gone
_TRIES = 20  # of an install that fails for a race of the real operator


class World:
    """One level with one operator. Modules are in the namespace ``stories``."""

    def __init__(self, level: Level, operator: Operator) -> None:
        self.level = level
        self.operator = operator
        self.api = level.cluster.api()
        self._applied: dict[str, Document] = {}
        self._tries: dict[str, int] = {}

    def prepare(self) -> None:
        """Make the workspace; its credentials are durable, so that a module can keep things."""
        self.api.create("namespaces", "", {"metadata": {"name": NAMESPACE}})
        self.api.create(
            "secrets",
            NAMESPACE,
            {"metadata": {"name": "dev"}, "data": {"kubeconfig": self._kubeconfig()}},
        )
        reference = {"name": "dev", "namespace": NAMESPACE, "key": "kubeconfig"}
        self.make_workspace(WORKSPACE, type="kubeconfig", secretReference=reference)
        self.until("the account of pods is there", lambda: self.api.get(
            "serviceaccounts", PODS, "default"))  # fmt: skip

    def make_workspace(self, name: str, source: str | None = None, **connection: Any) -> None:
        """Make a workspace, perhaps as a fork."""
        fork = {"from": {"name": source, "namespace": NAMESPACE}} if source else {}
        found = self.api.get("workspaces", NAMESPACE, source) if source else None
        connection = connection or (found["spec"]["connection"] if found else {})
        self.api.create(
            "workspaces",
            NAMESPACE,
            {
                "apiVersion": "batch.forkspacer.com/v1",
                "kind": "Workspace",
                "metadata": {"name": name},
                "spec": {"connection": connection, **fork},
            },
        )

    def apply(self, name: str, document: Document) -> None:
        """Make a Module."""
        self._applied[name] = document
        self.api.create("modules", NAMESPACE, document)

    def module(self, name: str) -> Document | None:
        """The Module, as it is now; one that a race of the operator's has failed is made again."""
        module = self.api.get("modules", NAMESPACE, name)
        if module and self.operator.is_real and self._has_met_a_race(name, module):
            self._tries[name] = self._tries.get(name, 0) + 1
            assert self._tries[name] < _TRIES, f"{name}: the operator's races have no end"
            self.api.delete("modules", NAMESPACE, name)
            self.until(f"{name} has gone", lambda: not self.api.get("modules", NAMESPACE, name))
            for event in self.api.find("events", NAMESPACE):
                self.api.delete("events", NAMESPACE, event["metadata"]["name"])
            return self.api.create("modules", NAMESPACE, self._applied[name])
        return module

    def _has_met_a_race(self, name: str, module: Document) -> bool:
        if module.get("status", {}).get("phase") != "failed" or name not in self._applied:
            return False
        texts = [text for reason, text in self.events(name) if reason == "InstallError"]
        return any(race in text for text in texts for race in RACES)

    def phase(self, name: str) -> str:
        """The Module's phase, empty when there is no Module or none yet."""
        module = self.module(name)
        phase: str = module.get("status", {}).get("phase", "") if module else ""
        return phase

    def kept(self, name: str) -> dict[str, Any]:
        """What the Module's annotation holds."""
        module = self.module(name)
        annotations = module["metadata"].get("annotations", {}) if module else {}
        kept: dict[str, Any] = json.loads(annotations.get(ANNOTATION) or "{}")
        return kept

    def pod(self, name: str) -> str:
        """The name of the Module's pod."""
        pod: str = self.kept(name)["runnerPodName"]
        return pod

    def patch(self, name: str, change: Document, part: str = "") -> None:
        """Change a Module."""
        self.api.patch("modules", NAMESPACE, name, change, part, MERGE)

    def events(self, name: str) -> list[tuple[str, str]]:
        """Reason and message of each of the Module's events."""
        return [
            (event["reason"], event["message"])
            for event in self.api.find("events", NAMESPACE)
            if event["involvedObject"]["name"] == name
        ]

    def calls(self, app: str) -> list[tuple[str, dict[str, Any], str]]:
        """Every call of a module that came to its hook: operation, what it was given, pod."""
        found = self.api.find("configmaps", NAMESPACE, labelSelector=f"kind=call,app={app}")
        found.sort(key=lambda one: float(one["data"]["at"]))
        return [
            (one["data"]["operation"], json.loads(one["data"]["given"]), one["data"]["pod"])
            for one in found
        ]

    def things(self, app: str = "") -> dict[str, str]:
        """What modules have in the cluster now, by name, with its state."""
        selector = f"kind=thing,app={app}" if app else "kind=thing"
        found = self.api.find("configmaps", NAMESPACE, labelSelector=selector)
        return {one["metadata"]["name"]: one["data"]["state"] for one in found}

    def release(self) -> None:
        """Have the operations go on that the plan holds."""
        about = {"name": "release", "labels": {"app": ""}}
        self.api.create("configmaps", NAMESPACE, {"metadata": about})

    def pods(self) -> list[Document]:
        """Pods, Services and Secrets of modules that are there, but for pods that are going."""
        found = [
            one
            for plural in ("pods", "services", "secrets")
            for one in self.api.find(plural, PODS, labelSelector="forkspacer.com")
        ]
        return [one for one in found if "deletionTimestamp" not in one["metadata"]]

    def until(self, what: str, condition: Callable[[], object], seconds: float = 0) -> None:
        """Wait until it is so."""
        patience = seconds or _PATIENCE + self.operator.stuck_after

        def looked() -> object:
            time.sleep(0.1)
            return condition()

        wait_until(looked, what, patience)

    def told(self) -> str:
        """All that is known, for a story that has gone wrong."""
        lines = []
        for module in self.api.find("modules", NAMESPACE):
            name = module["metadata"]["name"]
            lines += [f"module {name}: {module.get('status')}", f"  kept: {self.kept(name)}"[:2000]]
        lines += [
            f"event {event['involvedObject']['name']}: {event['reason']}: {event['message']}"
            for event in self.api.find("events", NAMESPACE)
        ]
        lines += [f"things: {self.things()}"]
        for pod in self.api.find("pods", PODS):
            name = pod["metadata"]["name"]
            lines += [f"pod {name}: {pod['status'].get('phase')}", self.level.log(name)[-3000:]]
        operator = self.level.cluster.daemons.log("operator")
        return "\n".join((*lines, operator.read_text()[-2000:]))

    def clean(self) -> None:
        """Take away whatever a story has left."""
        for module in self.api.find("modules", NAMESPACE):
            name = module["metadata"]["name"]
            self.api.delete("modules", NAMESPACE, name)
            self.patch(name, {"metadata": {"finalizers": None}})
        for workspace in self.api.find("workspaces", NAMESPACE):
            if (name := workspace["metadata"]["name"]) != WORKSPACE:
                self.api.delete("workspaces", NAMESPACE, name)
                change: Document = {"metadata": {"finalizers": None}}
                self.api.patch("workspaces", NAMESPACE, name, change)
        for one in self.pods():
            for plural in ("pods", "services", "secrets"):
                self.api.delete(plural, PODS, one["metadata"]["name"])
        self.until("all pods have gone", lambda: not self.api.find("pods", PODS))
        for plural, selector in (("configmaps", "app"), ("events", "")):
            path = self.api.path(plural, NAMESPACE)
            self.api.call("DELETE", f"{path}?labelSelector={selector}")
        self._applied.clear()
        self._tries.clear()

    def _kubeconfig(self) -> str:
        config = json.loads(self.level.cluster.kubeconfig.read_text())
        authority = base64.b64encode(self.api.authority.encode()).decode()
        config["clusters"][0]["cluster"] = {
            "server": self.api.server,
            "certificate-authority-data": authority,
        }
        return base64.b64encode(json.dumps(config).encode()).decode()
