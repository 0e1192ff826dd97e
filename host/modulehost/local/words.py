"""The operator's words: events, refusals of its webhooks, and how it writes a time."""

from __future__ import annotations

import json
from typing import Any, Final

from modulehost.shared.records import OperationName

FAILED: Final = "Module installation failed. Check events for more information."
INSTALLED: Final = "Module installed successfully"
POD_FAILED: Final = (
    "failed to install Custom module: custom module runner pod failed: pod phase Failed"
)
NO_CUSTOM: Final = "module does not have a Custom spec"

_WORDS: Final = {
    "install": "installation",
    "uninstall": "uninstallation",
    "sleep": "sleep",
    "resume": "resume",
}


def failure(operation: OperationName, reason: str) -> str:
    """The event of an operation that has failed; a line break at the reason's end stays there."""
    end = ". Finalizer will be removed to allow deletion." if operation == "uninstall" else ""
    return f"Module {_WORDS[operation]} failed: {reason}{end}"


def no_service(name: str) -> str:
    """What a pod that is gone comes to: "install" is said for every operation."""
    return f"failed to install Custom module: service {name} did not become ready within 30 seconds"


def stuck(phase: str, seconds: float) -> str:
    """The event ``PhaseTimeout``."""
    return f"Module stuck in {phase} phase for {duration(seconds)}, marking as failed"


def timed_out(phase: str, seconds: float) -> str:
    """The message of the status, then."""
    return f"Timed out in {phase} phase after {duration(seconds)}"


def invalid(field: str, value: Any, why: str) -> str:
    """A field that a webhook refuses, as Kubernetes writes it."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
    return f"{field}: Invalid value: {text}: {why}"


def duration(seconds: float) -> str:
    """A time as Go writes it, to hundredths of a second: ``5m1.57s``."""
    hundredths = round(seconds * 100)
    if hundredths < 100:
        return f"{hundredths * 10}ms" if hundredths else "0s"
    minutes, rest = divmod(hundredths, 6000)
    hours, minutes = divmod(minutes, 60)
    text = f"{rest / 100:g}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return f"{hours}h{text}" if hours else text
