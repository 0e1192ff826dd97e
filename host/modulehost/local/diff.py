"""What has changed between two states of the metadata, a line a value, by path."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

_PLAIN: Final = re.compile(r"[^\W\d][\w-]*")
_LONGEST: Final = 100


class Change(NamedTuple):
    """A value that is there no more (``-``) or now (``+``)."""

    sign: str
    path: str
    value: str

    def __str__(self) -> str:
        value = self.value if len(self.value) <= _LONGEST else self.value[: _LONGEST - 1] + "…"
        return f"{self.sign} {self.path}: {value}"


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[Change]:
    """What to take away from one and add to get the other, by path; empty when they are equal."""
    old, new = dict(leaves(before)), dict(leaves(after))
    found = []
    for path in [*old, *(path for path in new if path not in old)]:
        if old.get(path) != new.get(path):
            found += [Change("-", path, old[path])] if path in old else []
            found += [Change("+", path, new[path])] if path in new else []
    return found


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """The values that are no containers, or empty ones, as JSON, each with its path."""
    if isinstance(value, dict) and (value or not path):
        for key, item in value.items():
            plain = _PLAIN.fullmatch(key) and key.isprintable()
            step = f".{key}" if plain else f"[{_json(key)}]"
            yield from leaves(item, f"{path}{step}" if path else step.lstrip("."))
    elif isinstance(value, list) and value:
        for number, item in enumerate(value):
            yield from leaves(item, f"{path}[{number}]")
    else:
        yield path, _json(value)


def _json(value: Any) -> str:
    """JSON on one line, without what a terminal would obey."""
    text = json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)
