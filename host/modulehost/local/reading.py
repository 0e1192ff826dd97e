"""Files of YAML or JSON, as the JSON that kubectl would send."""

from __future__ import annotations

import math
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any, Final

import msgspec

from modulehost.local.errors import RefusedError

_CURE: Final = "; modulehost definition prints a good one"


def read(path: str, text: bytes) -> list[dict[str, Any]]:
    """The Modules and definitions in a file of YAML or JSON. Other kinds are passed over."""
    try:
        documents = [msgspec.json.decode(text)]
    except (msgspec.DecodeError, RecursionError):
        documents = _read_yaml(path, text)
    found = []
    kinds = []
    for document in documents:
        if document is None:
            continue
        if not isinstance(document, dict) or "kind" not in document:
            raise RefusedError(f"{path} is no Module: it has no kind{_CURE}")
        kinds.append(str(document["kind"]))
        if document["kind"] in ("Module", "Custom"):
            found.append(_plain(path, document))
    if not found:
        there = f"it has {', '.join(kinds)}" if kinds else "it is empty"
        raise RefusedError(f"{path} has no Module and no definition (kind: Custom): {there}{_CURE}")
    return found


def _read_yaml(path: str, text: bytes) -> list[Any]:
    if find_spec("yaml") is None:
        raise RefusedError("YAML takes a package more: pip install 'modulehost[cli]'")
    import yaml

    class Loader(yaml.SafeLoader):  # type: ignore[misc] # yaml has no types
        """Without dates, which JSON does not have: they stay text."""

        yaml_implicit_resolvers = {  # noqa: RUF012 - of the base's form
            first: [(tag, form) for tag, form in resolvers if not tag.endswith(":timestamp")]
            for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

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
