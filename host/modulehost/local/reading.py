"""Files of YAML or JSON, as the JSON that kubectl would send."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from importlib.util import find_spec
from typing import Any, Final

import msgspec

from modulehost.local.errors import RefusedError

_CURE: Final = "; modulehost definition prints a good one"

_GO_NUMBERS: Final = {
    "int": re.compile(r"[-+]?(0b[01_]+|0o?[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+)$"),
    "float": re.compile(
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$|[-+]?\.(inf|Inf|INF)$|\.(nan|NaN|NAN)$"
    ),
}
"""What Go's YAML takes for a number: 1e3 is one, 12:30 is not."""


def read(
    path: str, text: bytes, kind: str = "Module", tell: Callable[[str], object] = str
) -> list[dict[str, Any]]:
    """The Modules in a file of YAML or JSON. Raises RefusedError.

    Other kinds are passed over, and told.
    """
    found = []
    kinds = []
    for document in _parse(path, text):
        if document is None:
            continue
        if not isinstance(document, dict) or "kind" not in document:
            raise RefusedError(f"{path} is no {kind}: it has no kind{_CURE}")
        kinds.append(str(document["kind"]))
        if document["kind"] == kind:
            found.append(_plain(path, document))
        elif get_close_matches(kinds[-1].capitalize(), [kind], 1, 0.8):
            raise RefusedError(f'{path}: no matches for kind "{kinds[-1]}"; did you mean {kind}?')
    if "Custom" in kinds:
        raise RefusedError(
            f"{path} has a resource definition (kind: Custom), which the operator since 2025-10"
            " does not take: modulehost definition prints a Module"
        )
    if not found:
        there = f"it has {', '.join(kinds)}" if kinds else "it is empty"
        raise RefusedError(f"{path} has no {kind}: {there}{_CURE}")
    for other in kinds:
        if other != kind:
            tell(f"{path}: a document of the kind {other} is passed over")
    return found


def read_values(path: str, text: bytes) -> dict[str, Any]:
    """The values for a Module's spec.config in a file of their own. Raises RefusedError."""
    documents = [one for one in _parse(path, text) if one is not None]
    if len(documents) > 1 or not isinstance(documents[0] if documents else {}, dict):
        raise RefusedError(f"{path} has no values: write KEY: VALUE, a line each")
    return _plain(path, documents[0]) if documents else {}


def _parse(path: str, text: bytes) -> list[Any]:
    def pairs(given: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in given:
            if key in found:
                raise RefusedError(f'{path}: key "{key}" already set in map; keep one of them')
            found[key] = value
        return found

    try:
        return [json.loads(text, object_pairs_hook=pairs)]
    except (ValueError, RecursionError):
        return _read_yaml(path, text)


def _read_yaml(path: str, text: bytes) -> list[Any]:
    if find_spec("yaml") is None:
        raise RefusedError("YAML takes a package more: pip install 'modulehost[cli]'")
    import yaml

    class Loader(yaml.SafeLoader):  # type: ignore[misc] # yaml has no types
        """With Go's numbers, without dates, which JSON does not have: they stay text."""

        yaml_implicit_resolvers = {  # noqa: RUF012 - of the base's form
            first: [
                pair for pair in pairs if not pair[0].endswith((":timestamp", ":int", ":float"))
            ]
            for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            keys = set()
            for key, _ in node.value:
                if (key.tag, str(key.value)) in keys:
                    line = key.start_mark.line + 1
                    raise RefusedError(
                        f'{path}, line {line}: key "{key.value}" already set in map; keep one of'
                        " them"
                    )
                keys.add((key.tag, str(key.value)))
            return super().construct_mapping(node, deep=deep)

    for kind, form in _GO_NUMBERS.items():
        Loader.add_implicit_resolver(f"tag:yaml.org,2002:{kind}", form, list("-+.0123456789"))
    Loader.add_constructor("tag:yaml.org,2002:map", Loader.construct_yaml_map)
    try:
        return list(yaml.load_all(text, Loader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "bad text"
        raise RefusedError(f"{path}{line}: it is neither YAML nor JSON: {problem}{_CURE}") from None
    except (ValueError, RecursionError) as error:
        raise RefusedError(f"{path}: it is neither YAML nor JSON: {error}{_CURE}") from None


def _plain(path: str, document: dict[Any, Any]) -> dict[str, Any]:
    """The document as JSON has it, like kubectl sends it. Raises RefusedError."""
    try:
        for problem in _no_json(document, ""):
            raise RefusedError(f"{path}: {problem}")
        plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(_with_texts(document)))
    except RecursionError:
        raise RefusedError(f"{path}: it is nested too deeply, or contains itself") from None
    except (ValueError, TypeError, OverflowError) as error:
        raise RefusedError(f"{path}: JSON cannot hold it: {error}") from None
    return plain


def _no_json(value: Any, where: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str | bool | int | float):
                yield f"{where or 'it'} has a key that is no text"
            else:
                yield from _no_json(item, f"{where}.{key}".lstrip("."))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _no_json(item, f"{where}[{number}]")
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"{where} is NaN or infinite, which JSON has no form for"


def _with_texts(value: Any) -> Any:
    """Keys that YAML takes for numbers or booleans as texts."""
    if isinstance(value, dict):
        return {
            key if isinstance(key, str) else str(key).lower(): _with_texts(item)
            for key, item in value.items()
        }
    return [_with_texts(item) for item in value] if isinstance(value, list) else value
