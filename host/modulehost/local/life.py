"""The life of a Module: the operator's calls, and what it makes of their answers."""

from __future__ import annotations

import json
import time
from types import TracebackType
from typing import Any, NamedTuple, Self

from modulehost.local import pod, words
from modulehost.local.documents import Module
from modulehost.local.errors import RefusedError
from modulehost.local.rules import refusal
from modulehost.local.state import Phase, State, generated_name
from modulehost.local.store import Home, Store
from modulehost.shared.records import OperationName
from modulehost.testing.operator import (
    ANNOTATION,
    MAX_ANNOTATIONS,
    Operator,
    Outcome,
    go_json,
)


class Result(NamedTuple):
    """What has come of an operation."""

    operation: OperationName
    seconds: float
    before: dict[str, Any]
    after: dict[str, Any]
    """The metadata, as it is stored before and after."""

    event: str
    """What the Module's user reads; empty for a success."""

    note: str = ""
    """What the operator does not tell."""

    @property
    def succeeded(self) -> bool:
        """Whether the operator takes it for a success."""
        return not self.event


class Life:
    """One Module, its state and its host.

    Leaving the block is the end of the command: the operator's idle connection outlives it.
    """

    def __init__(self, home: Home, state: State) -> None:
        self.home = home
        self.state = state
        self.module = Module(state.document)
        self._operator: Operator | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self._operator is not None and self.state.pod is not None and self.home.path.exists():
            if (idle := self._operator.idle) is not None:
                pod.keep_open(self.state.pod, idle)
                self.home.write(self.state)
            self._operator.close()
            self._operator = None

    def install(self) -> Result:
        """Install the module. What fails is ``failed`` for ever."""
        self._enter("installing")
        result = self._call("install")
        if result.event:
            self._warn("InstallError", result.event)
            self._enter("failed", words.FAILED)
        else:
            self._enter("ready", words.INSTALLED)
        return result

    def sleep(self) -> Result:
        """Have the module sleep. After a failure it stays ``sleeping`` until it is stuck."""
        return self._move("sleeping", "sleep", "sleeped")

    def resume(self) -> Result:
        """Wake the module up. After a failure it stays ``resuming`` until it is stuck."""
        return self._move("resuming", "resume", "ready")

    def uninstall(self) -> Result:
        """Delete the Module. It goes whatever is answered; after a failure its host stays."""
        self.state.is_deleted = True
        self._enter("uninstalling")
        result = self._call("uninstall")
        if result.event:
            self._warn("UninstallError", result.event)
        if result.event and self.state.pod is not None:
            self._enter("deleted", "uninstall failed: the Module is gone, its host is not")
        return result

    def delete(self) -> None:
        """Mark the Module as deleted in a phase in which the operator leaves it alone."""
        self.state.is_deleted = True
        self.home.write(self.state)

    def fail(self) -> None:
        """Set the phase by hand, as ``kubectl patch --subresource=status`` does."""
        self._enter("failed", self.state.message)

    def stop(self) -> None:
        """Stop the host."""
        if self._operator is not None:
            self._operator.close()
            self._operator = None
        if self.state.pod is not None:
            pod.let_go(self.state.pod)
            pod.stop(self.state.pod)

    def forget(self) -> None:
        """Stop the host and remove what there is of the Module, without a call."""
        self.stop()
        self.home.remove()

    def _move(self, meanwhile: Phase, operation: OperationName, then: Phase) -> Result:
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

    def _call(self, operation: OperationName) -> Result:
        before = self.state.metadata
        began = time.monotonic()
        reason, note = self._reach()
        if not reason:
            outcome = self._send(operation)
            if not outcome.succeeded:
                reason = f"failed to {operation} module: {outcome.event}"
            elif operation != "uninstall" and not outcome.stored:
                note = self._why_not_stored(outcome)
        event = words.failure(operation, reason) if reason else ""
        seconds = time.monotonic() - began
        return Result(operation, seconds, before, self.state.metadata, event, note)

    def _reach(self) -> tuple[str, str]:
        """Have a pod and its Service. Why there are none, and what the operator does not tell."""
        state = self.state
        if not self.module.is_custom:
            return words.NO_CUSTOM, ""
        if problem := refusal(self.module.items, self.module.values or {}):
            return f"failed to render Custom spec: {problem}", ""
        if service := state.manager.get("runnerServiceName"):
            if state.pod is not None and pod.is_alive(state.pod):
                return "", ""
            state.pod = None  # somebody else may have its number and its port
            return words.no_service(service), "its host has ended; the operator waits 30 s for it"
        self.stop()  # one that was taken out of the annotation
        name = generated_name()
        services = {
            other.manager["runnerServiceName"]: other.pod.port
            for other in Store.around(self.home).states()
            if other.pod is not None and "runnerServiceName" in other.manager
        }
        environ = {"HOSTNAME": name, **pod.service_links(services)}
        values = self.module.values
        try:
            state.pod = pod.start(self.home, state.plugin, values, state.kubeconfig, environ)
        except RefusedError as error:
            return words.POD_FAILED, str(error)
        born = time.strftime("%Y%m%d%H%M%S", time.gmtime())
        state.keep(
            runnerPodName=name,
            runnerPodUniqueLabel=f"custom-manager-runner-{born}",
            runnerServiceName=generated_name(),
        )
        self.home.write(state)
        return "", ""

    def _send(self, operation: OperationName) -> Outcome:
        state = self.state
        assert state.pod is not None  # noqa: S101 - it has just been reached
        if self._operator is None:
            pod.let_go(state.pod)  # Go would use it again
            service = state.manager["runnerServiceName"]
            self._operator = Operator(
                state.pod.port, name=service, other_annotations=self._other_annotations
            )
            self._operator.edit(state.metadata)
        outcome = self._operator.call(operation)
        if outcome.stored:
            state.keep(innerMetaData=self._operator.metadata)
        return outcome

    @property
    def _other_annotations(self) -> int:
        """Bytes of all annotations but the metadata itself: its name and wrapping count."""
        others = sum(
            len(text.encode())
            for pair in self.state.annotations.items()
            for text in pair
            if pair[0] != ANNOTATION
        )
        return others + len(go_json({**self.state.manager, "innerMetaData": {}})) - len("{}")

    def _why_not_stored(self, outcome: Outcome) -> str:
        metadata = json.loads(outcome.body or "{}")
        if not metadata:
            return "the answer was empty, so what is stored stays as it was: leave a key in it"
        size = len(ANNOTATION) + len(go_json(metadata).encode()) + self._other_annotations
        return (
            f"the metadata was not stored, which the operator tells nobody: with the other"
            f" annotations it takes {size} bytes of at most {MAX_ANNOTATIONS}; store less"
        )
