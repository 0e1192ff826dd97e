"""Leaves what ``leave`` in the metadata names: no JSON, or none that the operator can keep."""

from typing import Any

import beast

from modulehost import Context

KEPT: dict[str, Any] = {}
DEEP: list[Any] = []
for _ in range(1000):
    DEEP = [DEEP]

LEFT: dict[str, Any] = {
    "nan": {"a": [1.0, float("nan")]},
    "infinity": {"a": {"b": float("-inf")}},
    "a great integer": {"a": 2**53 + 1},
    "a lone surrogate": {"a": ["\ud800"]},
    "a lone surrogate as a key": {"a": {"\udfff": 1}},
    "a key that is no text": {"a": {1: "one"}},
    "keys of several types": {"a": {"one": 1, 2: "two"}},
    "bytes": {"a": b"bytes"},
    "a set": {"a": {1}},
    "an object": {"a": object()},
    "itself": {"a": KEPT},
    "something deep": {"a": DEEP},
    "something huge": {"a": "x" * (200 << 10)},
    "something that grows in Go": {"a": "<" * (40 << 10)},
}


class Manager(beast.Manager):
    """Leaves what cannot be kept."""

    def misbehave(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        metadata["good"] = "value"
        left = LEFT[metadata.pop("leave")]
        metadata.update(left)
        if left["a"] is KEPT:
            KEPT["again"] = metadata
