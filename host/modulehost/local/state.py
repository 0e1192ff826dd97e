"""A Module as the API server holds it, and what the operator tells of it."""

from __future__ import annotations

import json
import secrets
import time
from typing import Any, Final, Literal

import msgspec

from modulehost.local import words
from modulehost.testing.operator import ANNOTATION, go_json, read_go_json

STUCK_AFTER: Final = 300.0
"""Seconds that a Module may be on its way before the operator gives it up."""

Phase = Literal[
    "installing", "ready", "sleeping", "sleeped", "resuming", "uninstalling", "failed", "deleted"
]
"""The operator's phases; ``deleted`` is a Module that is gone while its host is left behind."""

MOVING: Final = ("installing", "sleeping", "resuming", "uninstalling")
"""Phases that a Module should not stay in."""


class Event(msgspec.Struct):
    """What the operator tells the Module's user."""

    at: float
    reason: str
    message: str


class Pod(msgspec.Struct):
    """The host of a Module: a process on this machine."""

    pid: int
    port: int
    mark: str
    """What the process has in its environment, and no other has."""

    connection: int = 0
    """The process that keeps the operator's idle connection open; 0: none."""


class State(msgspec.Struct, kw_only=True):
    """A Module as the API server would hold it. Times are seconds since 1970."""

    document: dict[str, Any]
    """It as it was applied, with the CRD's defaults."""

    annotations: dict[str, str]
    plugin: str
    phase: Phase = "installing"
    message: str = ""
    since: float
    is_deleted: bool = False
    """Whether somebody has deleted it; it is there until it is uninstalled."""

    events: list[Event] = []
    stuck_after: float = STUCK_AFTER
    has_webhooks: bool = True
    pod: Pod | None = None
    kubeconfig: str | None = None
    """The file that stands for the workspace's; each pod gets a copy."""

    @property
    def manager(self) -> dict[str, Any]:
        """What the operator keeps of it: names of pod and Service, and the metadata."""
        return read_go_json(self.annotations.get(ANNOTATION, "{}").encode())

    @property
    def metadata(self) -> dict[str, Any]:
        """The metadata, as it is stored."""
        found: dict[str, Any] = json.loads(go_json(self.manager.get("innerMetaData", {})))
        return found

    def keep(self, **manager: Any) -> None:
        """Have the operator keep something more."""
        self.annotations[ANNOTATION] = go_json({**self.manager, **manager})

    def enter(self, phase: Phase, message: str = "") -> None:
        """Begin a phase."""
        self.phase = phase
        self.message = message
        self.since = time.time()

    def warn(self, reason: str, message: str) -> None:
        """Add an event."""
        self.events.append(Event(time.time(), reason, message))

    def settle(self) -> None:
        """Give up a Module that is on its way for too long; one that is deleted never is."""
        if self.phase not in MOVING or self.is_deleted:
            return
        ends = self.since + self.stuck_after
        if time.time() >= ends:
            event = words.stuck(self.phase, self.stuck_after)
            self.events.append(Event(ends, "PhaseTimeout", event))
            self.enter("failed", words.timed_out(self.phase, self.stuck_after))
            self.since = ends

    def as_object(self) -> dict[str, Any]:
        """The Module as kubectl would print it, and its events beside it."""
        metadata = {**self.document["metadata"], "annotations": self.annotations}
        if self.is_deleted:
            metadata["deletionTimestamp"] = _timestamp(self.since)
        status = {"phase": self.phase, "lastActivity": _timestamp(self.since)}
        if self.message:
            status["message"] = self.message
        events = [
            {
                "type": "Warning",
                "reason": event.reason,
                "message": event.message,
                "lastTimestamp": _timestamp(event.at),
            }
            for event in self.events
        ]
        return {**self.document, "metadata": metadata, "status": status, "events": events}


def _timestamp(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def generated_name() -> str:
    """A name as the API server makes one of the operator's ``generateName``."""
    letters = "bcdfghjklmnpqrstvwxz2456789"  # no vowels, nothing that looks alike
    return "custom-manager-" + "".join(secrets.choice(letters) for _ in range(5))
