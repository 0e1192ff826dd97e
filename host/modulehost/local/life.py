"""The life of a Module: the operator's calls, and what it makes of their answers."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, Final, NamedTuple

from modulehost.local import pod
from modulehost.local.documents import Module, module_of
from modulehost.local.errors import RefusedError
from modulehost.local.rules import refusal
from modulehost.local.store import Home, Phase, State
from modulehost.shared.errors import one_line
from modulehost.shared.records import Operation
from modulehost.testing.operator import (
    ANNOTATION,
    MAX_ANNOTATIONS,
    OTHER_ANNOTATIONS,
    Operator,
    Outcome,
    go_json,
)

LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
"""The annotation in which kubectl keeps a copy of the document."""

_FAILED: Final = "Module installation failed. Check events for more information."
_INSTALLED: Final = "Module installed successfully"
_REFUSED: Final = "failed to call the custom module: connection refused: its host has ended"


class Result(NamedTuple):
    """What has come of an operation."""

    operation: Operation
    seconds: float
    before: dict[str, Any]
    after: dict[str, Any]
    """The metadata, as it is stored before and after."""

    event: str
    """What the Module's user reads; empty for a success."""

    note: str = ""
    """What the operator does not tell of a success."""

    @property
    def succeeded(self) -> bool:
        """Whether the operator takes it for a success."""
        return not self.event


class Life:
    """One Module, its state and its host; ``kubeconfig`` is mounted when the host is started."""

    def __init__(self, home: Home, state: State, kubeconfig: Path | None = None) -> None:
        self.home = home
        self.state = state
        self.module: Module = module_of(str(home.path), state.document)
        self._kubeconfig = kubeconfig

    def install(self) -> Result:
        """Install the module. What fails is ``failed`` for ever."""
        self._enter("installing")
        result = self._call("install")
        if result.event:
            self._warn("InstallError", result.event)
            self._enter("failed", _FAILED)
        else:
            self._enter("ready", _INSTALLED)
        return result

    def sleep(self) -> Result:
        """Have the module sleep. After a failure it stays ``sleeping`` until it is stuck."""
        return self._move("sleeping", "sleep", "sleeped")

    def resume(self) -> Result:
        """Wake the module up. After a failure it stays ``resuming`` until it is stuck."""
        return self._move("resuming", "resume", "ready")

    def uninstall(self) -> Result:
        """Delete the Module. It goes whatever is answered; after a failure its host stays."""
        self._enter("uninstalling")
        result = self._call("uninstall")
        if result.event:
            self._warn("UninstallError", result.event)
        if result.event and self.state.pod is not None:
            self._enter("deleted", "uninstall failed: the Module is gone, its host is not")
        return result

    def stop(self) -> None:
        """Stop the host."""
        if self.state.pod is not None:
            pod.stop(self.state.pod)

    def forget(self) -> None:
        """Stop the host and remove what there is of the Module, without a call."""
        self.stop()
        self.home.remove()

    def _move(self, meanwhile: Phase, operation: Operation, then: Phase) -> Result:
        self._enter(meanwhile)
        result = self._call(operation)
        if result.event:
            self._warn(f"{operation.capitalize()}Error", result.event)
        else:
            self._enter(then)
        return result

    def _enter(self, phase: Phase, message: str = "") -> None:
        self.state.enter(phase, message)
        self.home.write(self.state)

    def _warn(self, reason: str, event: str) -> None:
        self.state.warn(reason, event)
        self.home.write(self.state)

    def _call(self, operation: Operation) -> Result:
        before = json.loads(self.state.annotation)
        began = time.monotonic()
        values = self.module.values or {}
        event = note = ""
        if problem := refusal(self.module.items, values, is_old=self.module.is_old):
            event = _event(operation, problem)
        else:
            outcome = self._send(operation)
            if not outcome.succeeded:
                event = _event(operation, f"failed to {operation} module: {outcome.event}")
            elif operation != "uninstall" and not outcome.stored:
                note = self._why_not_stored(outcome)
        after = json.loads(self.state.annotation)
        return Result(operation, time.monotonic() - began, before, after, event, note)

    def _send(self, operation: Operation) -> Outcome:
        if self.state.pod is None:
            plugin, values = self.state.plugin, self.module.values
            try:
                self.state.pod = pod.start(self.home, plugin, values, self._kubeconfig)
            except RefusedError as error:
                return Outcome(None, "", succeeded=False, stored=False, event=str(error))
            self.home.write(self.state)
        elif not pod.is_alive(self.state.pod):  # somebody else may have its port
            return Outcome(None, "", succeeded=False, stored=False, event=_REFUSED)
        with Operator(
            self.state.pod.port,
            name=self.module.name,
            other_annotations=self._other_annotations,
        ) as operator:
            operator.annotation = self.state.annotation
            outcome = operator.call(operation)
            self.state.annotation = operator.annotation
        return outcome

    @property
    def _other_annotations(self) -> int:
        """Bytes of the operator's own, kubectl's copy of the file, and what stands in the file."""
        copy = json.dumps(self.state.document, separators=(",", ":"), ensure_ascii=False) + "\n"
        given = self.state.document["metadata"].get("annotations") or {}
        others = [LAST_APPLIED, copy, *given, *map(str, given.values())]
        return OTHER_ANNOTATIONS + sum(len(text.encode()) for text in others)

    def _why_not_stored(self, outcome: Outcome) -> str:
        metadata = json.loads(outcome.body or "{}")
        if not metadata:
            return "the answer was empty, so what is stored stays as it was: leave a key in it"
        size = len(ANNOTATION) + len(go_json(metadata).encode()) + self._other_annotations
        return (
            f"the metadata was not stored, which the operator tells nobody: with the other"
            f" annotations it takes {size} bytes of at most {MAX_ANNOTATIONS}; store less"
        )


_LONGEST: Final = 2000  # characters: the longest reason of the host, and the words around it
_WORDS: Final = {
    "install": "installation",
    "uninstall": "uninstallation",
    "sleep": "sleep",
    "resume": "resume",
}


def _event(operation: Operation, reason: str) -> str:
    """The operator's words for a failure."""
    end = ". Finalizer will be removed to allow deletion." if operation == "uninstall" else ""
    return f"Module {_WORDS[operation]} failed: {one_line(reason, _LONGEST)}{end}"


def may_change(old: Module, new: Module) -> None:
    """Refuse a change of what the operator lets nobody change. Raises RefusedError."""
    pairs = {
        "spec.workspace": (old.workspace, new.workspace),
        "spec.config": (old.values, new.values),
        "spec.source": (
            old.document["spec"].get("source"),
            new.document["spec"].get("source"),
        ),
        "spec.custom.image": (old.image, new.image),
    }
    changed = [field for field, (before, after) in pairs.items() if before != after]
    if changed:
        raise RefusedError(
            f"{old.name}: {changed[0]}: field is immutable: modulehost local delete {old.name},"
            " then apply it again"
        )
