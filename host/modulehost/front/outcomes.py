"""What the end of an operation means: for the log, and for who has called it."""

from __future__ import annotations

from typing import Final

from modulehost.shared.records import Done, Kind, OperationName

DEADLINE: Final = "its deadline passed"

LEVEL_OF: Final[dict[Kind, str]] = {
    "succeeded": "info",
    "unkept": "error",
    "failed": "error",
    "cancelled": "error",
    "refused": "warning",
}


def judge(done: Done, operation: OperationName, cancelled: str | None, deadline: float) -> Done:
    """What the runner's word means; ``cancelled`` is why the operation was, by the host.

    Uninstall may leave what is no JSON: nobody keeps it.
    """
    match done.kind:
        case "unkept" if operation == "uninstall":
            return Done(done.id, "succeeded", "", done.metadata)
        case "cancelled" if cancelled == DEADLINE:
            reason = f"{operation} did not finish within {deadline:g} s"
            return Done(done.id, "cancelled", reason, done.metadata)
        case "cancelled" if cancelled is not None:
            reason = f"{operation} was cancelled: {cancelled}"
            return Done(done.id, "cancelled", reason, done.metadata)
    return done
