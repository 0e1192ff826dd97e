"""What kubectl adds to a Module that is applied, and what the operator's webhook refuses of it."""

from __future__ import annotations

import copy
import json
from typing import Any, Final

from modulehost.local import words
from modulehost.local.documents import Module, Taken
from modulehost.local.errors import RefusedError
from modulehost.local.rules import refusal
from modulehost.local.schema import fill_in
from modulehost.testing.operator import go_json

LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
"""The annotation in which kubectl keeps a copy of the document."""


def annotations_of(module: Module, applied: dict[str, Any]) -> dict[str, str]:
    """The annotations of a Module that ``kubectl apply`` makes: its own, and a copy of the file."""
    metadata = {"annotations": {}, "namespace": module.namespace, **applied["metadata"]}
    text = go_json({**applied, "metadata": metadata}) + "\n"
    return {**module.document["metadata"].get("annotations", {}), LAST_APPLIED: text}


def merged(live: dict[str, Any], annotations: dict[str, str], new: Taken) -> Module:
    """What ``kubectl apply`` makes of a Module: what was never applied stays as it is."""
    last = json.loads(annotations.get(LAST_APPLIED, "{}"))
    found = _merged(live, last, copy.deepcopy(new.given))
    fill_in(found, new.schema)
    return Module(found)


def _merged(live: dict[str, Any], last: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    found = {key: value for key, value in live.items() if key in new or key not in last}
    for key, value in new.items():
        before, were = live.get(key), last.get(key)
        if isinstance(value, dict) and isinstance(before, dict):
            found[key] = _merged(before, were if isinstance(were, dict) else {}, value)
        else:
            found[key] = value
    return found


def admit(module: Module) -> None:
    """Refuse what the operator's webhook refuses of a new Module. Raises RefusedError."""
    values = module.values or {}
    if problem := refusal(module.items, values):
        raise RefusedError(f"{module.name}: {words.invalid('spec.config', values, problem)}")


def may_change(old: Module, new: Module) -> None:
    """Refuse a change of what the operator's webhook lets nobody change. Raises RefusedError."""
    spec, changed = old.document["spec"], new.document["spec"]
    pairs = {
        "spec.workspace": (spec["workspace"], changed["workspace"]),
        "spec.config": (old.values, new.values),
        "spec.custom.image": (old.image, new.image),
    }
    refused = [
        words.invalid(field, after, "field is immutable")
        for field, (before, after) in pairs.items()
        if before != after
    ]
    if refused:
        raise RefusedError(
            f"{old.name}: {', '.join(refused)}: modulehost local delete {old.name}, then apply it"
            " again"
        )
