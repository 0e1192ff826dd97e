"""What JSON the contract takes and gives: decoding, checks, Go's sizes and numbers.

The operator keeps metadata as a Go ``map[string]any``: every number becomes a float64 and is
written in Go's way, ``<``, ``>``, ``&``, U+2028 and U+2029 are escaped to six bytes each, and the
whole is one annotation. What a plugin stored must be what it gets back.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from modulehost.shared.describe import type_name
from modulehost.shared.errors import MetadataError, RequestError

MAX_INTEGER: Final = 2**53
"""Above it a float64, and so Go, no longer tells neighbouring integers apart."""

MAX_DEPTH: Final = 200
"""Levels of nesting that are taken; any JSON reader reads as many."""

_PLAIN: Final = frozenset({str, bool, type(None)})
_MOST_OF_GO: Final = 6  # times as many bytes as ours: for text that is all markup
_GO_WRITES_INTEGER_BELOW: Final = 1e21  # encoding/json turns to the form 1e+21 there

_STRING_OR_NUMBER: Final = re.compile(
    rb'"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?', re.DOTALL
)

_SURROGATES: Final = re.compile(
    rb"\\\\|\\u[dD][89abAB]..\\u[dD][c-fC-F]..|(?P<lone>\\u[dD][89a-fA-F])", re.DOTALL
)
"""Pairs of escapes, and what is none; an escaped backslash first."""

Metadata = dict[str, Any]

_encoder = msgspec.json.Encoder()  # its own sorting takes quadratic time for some orders


def decode(body: bytes) -> Metadata:
    """The JSON object in a request's body, keys sorted; an empty body and ``null`` are ``{}``.

    Raises RequestError, which says what is wrong and where.
    """
    try:
        value = msgspec.json.decode(body) if body.strip() else {}
    except UnicodeDecodeError:
        raise RequestError(f"the body is not valid UTF-8{_bad_byte(body)}") from None
    except RecursionError:
        raise RequestError(f"the body is nested more than {MAX_DEPTH} levels deep") from None
    except msgspec.ValidationError:
        raise RequestError(f"the body holds a number out of range{_bad_number(body)}") from None
    except msgspec.DecodeError as error:
        if (lone := _lone_surrogate(body)) is not None:
            raise RequestError(
                f"the body holds a lone surrogate at byte {lone}, which is no text"
            ) from None
        raise RequestError(f"the body is not JSON: {error}") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        kind = {list: "an array", str: "a string", bool: "a boolean"}.get(type(value), "a number")
        raise RequestError(f"the body is {kind}, not a JSON object")
    try:
        return _as_go_keeps(value)
    except RecursionError:
        raise RequestError(f"the body is nested more than {MAX_DEPTH} levels deep") from None
    except OverflowError:
        raise RequestError(f"the body holds a number out of range{_bad_number(body)}") from None


def _bad_byte(body: bytes) -> str:
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return f" at byte {error.start}"
    return ""


def _lone_surrogate(body: bytes) -> int | None:
    for escape in _SURROGATES.finditer(body):
        if escape["lone"]:
            return escape.start()
    return None


def _bad_number(body: bytes) -> str:
    for token in _STRING_OR_NUMBER.finditer(body):
        if not token[0].startswith(b'"') and math.isinf(float(token[0])):
            return f" at byte {token.start()}"
    return ""


def _as_go_keeps(value: Metadata, levels: int = MAX_DEPTH) -> Metadata:
    """The object with sorted keys, and integers beyond 2^53 as the floats that Go makes of them.

    Raises RecursionError when it has more levels than that; OverflowError past any float.
    """
    if not levels:
        raise RecursionError
    value = _sorted(value)
    if _is_flat_text(value):
        return value
    return {k: v if type(v) is str else _as_go_reads(v, levels - 1) for k, v in value.items()}


def _sorted(value: dict[str, Any]) -> dict[str, Any]:
    keys = sorted(value)
    if keys == list(value):
        return value
    return dict(zip(keys, map(value.__getitem__, keys), strict=True))


def _is_flat_text(value: dict[Any, Any]) -> bool:
    """Whether all there is are texts: nothing to convert, however many they are."""
    return {str}.issuperset(map(type, value)) and _PLAIN.issuperset(map(type, value.values()))


def _as_go_reads(value: Any, levels: int) -> Any:
    if isinstance(value, dict):
        return _as_go_keeps(value, levels)
    if isinstance(value, list):
        if not levels:
            raise RecursionError
        return [_as_go_reads(item, levels - 1) for item in value]
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        return float(value)
    return value


def encode(metadata: Metadata, limit: int) -> bytes:
    """The JSON text of metadata that a plugin left behind, as canonical() has it.

    ``limit`` is in bytes, as Go would write it. Raises MetadataError with the path to the value.
    """
    walk = _Walk()
    try:
        encoded = _encoder.encode(_checked(metadata, (), walk))
    except UnicodeEncodeError:
        path = _path(_find_surrogate(metadata, ()) or ())
        raise MetadataError(f"{path} holds a lone surrogate, which is no text") from None
    if len(encoded) * _MOST_OF_GO + walk.zeros <= limit:
        return encoded  # whatever is in it
    if (size := go_size(encoded) + walk.zeros) > limit:
        raise MetadataError(
            f"metadata is {size} bytes as the operator stores it, more than the {limit} bytes of"
            " MODULE_MAX_METADATA; store names, not contents"
        )
    return encoded


def go_size(encoded: bytes) -> int:
    """The bytes that JSON text takes once Go has written it, but for how it writes 1e20."""
    size = len(encoded) + 5 * (len(encoded) - len(encoded.translate(None, b"<>&")))
    if not encoded.isascii():
        for separator in (b"\xe2\x80\xa8", b"\xe2\x80\xa9"):
            size += 3 * encoded.count(separator)
    if b"e-6" in encoded:  # Go writes 0.000001
        size += 4 * sum(encoded.count(b"e-6" + end) for end in (b",", b"}", b"]"))
    return size


Path = tuple[object, ...]


class _Walk:
    """What is known on the way through metadata."""

    def __init__(self) -> None:
        self.above: set[int] = set()  # the containers that the value is in
        self.zeros = 0  # bytes that Go takes more than we for floats like 1e20: all its digits


def _checked(value: Any, path: Path, walk: _Walk) -> Any:
    """The value as plain JSON with Go's numbers."""
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return value
    if isinstance(value, dict):
        _descend(value, path, walk.above)
        if _is_flat_text(value):
            walk.above.discard(id(value))
            return _sorted(value)
        is_plain = {str}.issuperset(map(type, value))
        plain = dict(_sorted(value if is_plain else _with_plain_keys(value, path)))
        for key, item in plain.items():
            if type(item) is not str:
                plain[key] = _checked(item, (*path, key), walk)
        walk.above.discard(id(value))
        return plain
    if isinstance(value, list | tuple):
        _descend(value, path, walk.above)
        items = [_checked(item, (*path, index), walk) for index, item in enumerate(value)]
        walk.above.discard(id(value))
        return items
    return _checked_scalar(value, path, walk)


def _with_plain_keys(value: dict[Any, Any], path: Path) -> dict[str, Any]:
    """The dict with keys of type str itself; raises MetadataError for one that is no text."""
    for key in value:
        if not isinstance(key, str):
            what = f"the key {key!r}" if isinstance(key, int | float) else "a key"
            raise MetadataError(
                f"{_path(path)}: {what} is of type {type_name(key)}; JSON's are strings"
            )
    return {str.__str__(key): item for key, item in value.items()}


def _checked_scalar(value: Any, path: Path, walk: _Walk) -> Any:
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise MetadataError(
                f"{_path(path)} is an integer beyond 2^53, which would lose digits; store a string"
            )
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise MetadataError(f"{_path(path)} is NaN or infinite, which JSON has no form for")
        if value.is_integer() and abs(value) <= MAX_INTEGER:
            return int(value)
        if MAX_INTEGER < abs(value) < _GO_WRITES_INTEGER_BELOW:
            walk.zeros += len(str(int(value))) - len(_encoder.encode(value))
        return float(value)
    raise MetadataError(
        f"{_path(path)} is of type {type_name(value)}, which is not JSON; store text, numbers,"
        " booleans, None, lists and dicts"
    )


def _descend(value: object, path: Path, above: set[int]) -> None:
    if id(value) in above:
        raise MetadataError(f"{_path(path)} contains itself")
    if len(path) >= MAX_DEPTH:
        raise MetadataError(f"{_path(path[:3])}… is nested more than {MAX_DEPTH} levels deep")
    above.add(id(value))


def _find_surrogate(value: Any, path: Path) -> Path | None:
    """The path to the first text that is not UTF-8, or to the dict with such a key."""
    pairs: Iterable[tuple[object, Any]] = ()
    if isinstance(value, str):
        return None if _is_text(value) else path
    if isinstance(value, dict):
        if not all(map(_is_text, value)):
            return path
        pairs = value.items()
    elif isinstance(value, list | tuple):
        pairs = enumerate(value)
    for key, item in pairs:
        if (found := _find_surrogate(item, (*path, key))) is not None:
            return found
    return None


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _path(path: Path) -> str:
    """The path in the form of Python: ``metadata["a"][0]``."""
    parts = (f'"{part}"' if isinstance(part, str) else str(part) for part in path)
    return "metadata" + "".join(f"[{part}]" for part in parts)


def canonical(metadata: Metadata) -> bytes:
    """Metadata from decode() as text: equal texts are equal metadata."""
    return _encoder.encode(metadata)


def copy(metadata: Metadata) -> bytes:
    """Metadata as text while its hook goes on changing it; raises when it is no JSON.

    The encoder holds the interpreter's lock throughout, so the text is of one moment.
    """
    return _encoder.encode(metadata)


def restore(text: bytes) -> Metadata:
    """What canonical(), encode() or salvage.salvage() wrote."""
    try:
        value = msgspec.json.decode(text)
    except ValueError:
        import json

        value = json.loads(text)
    assert isinstance(value, dict)  # noqa: S101 - nothing else is ever written
    return value
