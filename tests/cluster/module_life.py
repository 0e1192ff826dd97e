"""The stand-in's part that leads a Module from phase to phase."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from cluster.api import Api, ApiError, Document
from cluster.runner_pod import CallError, Pods

from modulehost.local.rules import refusal
from modulehost.shared.records import OperationName
from modulehost.testing.operator import ANNOTATION

FINALIZER = "delete"
_STUCK = ("installing", "sleeping", "resuming", "uninstalling")
_WORKSPACE_PHASES = {
    "install": ("ready",),
    "uninstall": ("ready", "hibernated", "failed"),
    "sleep": ("ready", "hibernated"),
    "resume": ("ready", "hibernated"),
}


class Lives:
    """Modules, one at a time and as they are in the API."""

    def __init__(self, api: Api, pods: Pods, stuck_after: float) -> None:
        self._api = api
        self._pods = pods
        self._stuck_after = stuck_after

    def handle(self, module: Document) -> None:
        """Do what its phase and its spec ask for."""
        phase = module.get("status", {}).get("phase", "")
        if "deletionTimestamp" in module["metadata"]:
            # in any other phase it hangs: not even the five minutes are looked at
            if phase in ("ready", "sleeped", "failed"):
                self._uninstall(module)
        elif not phase:
            self._install(module)
        elif phase == "ready" and module["spec"]["hibernated"]:
            self._move(module, "sleeping", "sleep", "sleeped")
        elif phase == "sleeped" and not module["spec"]["hibernated"]:
            self._move(module, "resuming", "resume", "ready")
        elif phase in _STUCK:
            self._look_whether_stuck(module, phase)

    def _install(self, module: Document) -> None:
        self._change(module, {"metadata": {"finalizers": [FINALIZER]}})
        self._enter(module, "installing")
        try:
            if not self._workspace_is(module, "install"):
                return
            self._operate(module, "install")
        except CallError as error:
            self._warn(module, "InstallError", f"Module installation failed: {error}")
            message = "Module installation failed. Check events for more information."
            self._enter(module, "failed", message)
        else:
            self._enter(module, "ready", "Module installed successfully")

    def _move(self, module: Document, meanwhile: str, operation: OperationName, then: str) -> None:
        self._enter(module, meanwhile)
        try:
            if self._workspace_is(module, operation):
                self._operate(module, operation)
                self._enter(module, then)
        except CallError as error:
            self._warn(
                module, f"{operation.capitalize()}Error", f"Module {operation} failed: {error}"
            )

    def _uninstall(self, module: Document) -> None:
        """Whatever comes of it, the object goes."""
        self._enter(module, "uninstalling")
        try:
            if self._workspace_is(module, "uninstall"):
                self._operate(module, "uninstall")
        except CallError as error:
            end = "Finalizer will be removed to allow deletion."
            text = f"Module uninstallation failed: {error}. {end}"
            self._warn(module, "UninstallError", text)
        self._change(module, {"metadata": {"finalizers": None}})

    def _operate(self, module: Document, operation: OperationName) -> None:
        """Call the module's pod, which is made if there is none, and store the answer."""
        kept = json.loads(module["metadata"].get("annotations", {}).get(ANNOTATION) or "{}")
        workspace = self._workspace(module)
        assert workspace is not None
        self._check_config(module)
        try:
            self._pods.prepare(kept, module["spec"], workspace["spec"]["connection"])
        except CallError as error:
            raise CallError(f"failed to install Custom module: {error}") from None
        finally:
            self._store(module, kept)
        try:
            self._pods.call(kept, operation)
        except CallError as error:
            raise CallError(f"failed to {operation} module: {error}") from None
        finally:
            if operation != "uninstall":
                self._store(module, kept)

    def _check_config(self, module: Document) -> None:
        values = module["spec"].get("config") or {}
        if problem := refusal(module.get("config", []), values):
            raise CallError(f"failed to render Custom spec: {problem}")

    def _store(self, module: Document, kept: dict[str, Any]) -> None:
        """Store the annotation; where that fails, nobody but the log is told."""
        text = self._pods.annotation(kept)
        try:
            self._change(module, {"metadata": {"annotations": {ANNOTATION: text}}})
        except ApiError as error:
            print("failed to patch the module's annotations:", error, flush=True)

    def _workspace(self, module: Document) -> Document | None:
        wanted = module["spec"]["workspace"]
        return self._api.get("workspaces", wanted["namespace"], wanted["name"])

    def _workspace_is(self, module: Document, operation: OperationName) -> bool:
        """Whether the workspace lets the operation be sent."""
        workspace = self._workspace(module)
        status = workspace.get("status", {}) if workspace else {}
        return bool(status.get("ready")) and status["phase"] in _WORKSPACE_PHASES[operation]

    def _look_whether_stuck(self, module: Document, phase: str) -> None:
        since = datetime.fromisoformat(module["status"]["lastActivity"])
        seconds = (datetime.now(UTC) - since).total_seconds()
        if seconds < self._stuck_after:
            return
        took = f"{int(seconds // 60)}m{seconds % 60:.2f}s"
        text = f"Module stuck in {phase} phase for {took}, marking as failed"
        self._warn(module, "PhaseTimeout", text)
        self._enter(module, "failed", f"Timed out in {phase} phase after {took}")

    def _enter(self, module: Document, phase: str, message: str | None = None) -> None:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        status = {"phase": phase, "lastActivity": now, "message": message}
        self._change(module, {"status": status}, "status")

    def _change(self, module: Document, change: Document, part: str = "") -> None:
        about = module["metadata"]
        self._api.patch("modules", about["namespace"], about["name"], change, part)

    def _warn(self, module: Document, reason: str, message: str) -> None:
        about = module["metadata"]
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        event = {
            "metadata": {"generateName": f"{about['name'][:200]}."},
            "involvedObject": {
                "apiVersion": module["apiVersion"],
                "kind": module["kind"],
                "name": about["name"],
                "namespace": about["namespace"],
                "uid": about["uid"],
            },
            "reason": reason,
            "message": message,
            "type": "Warning",
            "source": {"component": "module"},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        self._api.create("events", about["namespace"], event)
        print(f"{about['name']}: {reason}: {message}", flush=True)
