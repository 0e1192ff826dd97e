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
from modulehost.shared.records import MetadataText

MAX_INTEGER: Final = 2**53
"""Above it a float64, and so Go, no longer tells neighbouring integers apart."""

MAX_DEPTH: Final = 200
"""Levels of nesting that are taken; any JSON reader reads as many."""

_MOST_OF_GO: Final = 6  # times as many bytes as ours: for text that is all markup
_GO_WRITES_DIGITS_BELOW: Final = 1e21  # encoding/json turns to the form 1e+21 there

_STRING_OR_NUMBER: Final = re.compile(
    rb'"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?', re.DOTALL
)
_DIGITS: Final = bytes(ord("0") if chr(byte).isdigit() else ord(" ") for byte in range(128)) + (
    b" " * 128
)
_TEXT: Final = frozenset({str})
_PLAIN: Final = frozenset({str, bool, type(None)})
_NO_BRACKETS: Final = bytes(byte for byte in range(256) if chr(byte) not in "{}[]")
_LONG: Final = b"0" * len(str(MAX_INTEGER))
_BEFORE_A_NUMBER: Final = frozenset(b":,[ \t\r\n")
_WHOLE: Final = re.compile(rb"\.0(?=[],}])")  # both begin with bytes that are quickly looked for
_MINUS_ZERO: Final = re.compile(rb"-0(?=[],}])")
_LONG_FLOAT: Final = re.compile(
    rb"(?<=[:,\[])-?(?:[0-9](?:\.[0-9]+)?e(?:1[6-9]|20)|9[0-9]{15}\.0)(?=[],}])"
)

_TOO_DEEP: Final = f"the body is nested more than {MAX_DEPTH} levels deep"

_SURROGATES: Final = re.compile(
    rb"\\\\|\\u[dD][89abAB]..\\u[dD][c-fC-F]..|(?P<lone>\\u[dD][89a-fA-F])", re.DOTALL
)
"""Pairs of escapes, and what is none; an escaped backslash first."""

Metadata = dict[str, Any]

_encoder = msgspec.json.Encoder(order="sorted")
_decoder = msgspec.json.Decoder()


def decode(body: bytes) -> Metadata:
    """The JSON object in a request's body; an empty body and ``null`` are ``{}``.

    Integers beyond 2^53 are the floats that Go makes of them. Raises RequestError, which says
    what is wrong and where.
    """
    try:
        value = _decoder.decode(body) if body.strip() else {}
    except UnicodeDecodeError:
        raise RequestError(f"the body is not valid UTF-8{_bad_byte(body)}") from None
    except RecursionError:
        raise RequestError(_TOO_DEEP) from None
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
    if _is_flat(value) or _is_plain(body):
        return value
    try:
        return {key: _as_go_reads(item, MAX_DEPTH - 1) for key, item in value.items()}
    except RecursionError:
        raise RequestError(_TOO_DEEP) from None
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


def _is_flat(value: dict[Any, Any]) -> bool:
    """Whether all there is are texts, which need no look, however many they are."""
    return _PLAIN.issuperset(map(type, value.values())) and _TEXT.issuperset(map(type, value))


def _may_hold_long_integers(text: bytes) -> bool:
    """Whether a number in it may be an integer beyond 2^53; false is a proof.

    As many digits within a string or behind a point are told by what stands before them.
    """
    digits = text.translate(_DIGITS)
    at = digits.find(_LONG)
    while at > 0:
        sign = text[at - 1] == ord("-")
        if text[at - 1 - sign] in _BEFORE_A_NUMBER:
            return True
        at = digits.find(_LONG, digits.find(b" ", at))
    return at == 0


def _is_nested(text: bytes) -> bool:
    """Whether it may be nested more than MAX_DEPTH levels deep; false is a proof.

    Each turn takes one or two innermost levels away; strings with brackets are in its way.
    """
    if text.count(b"{") + text.count(b"[") <= MAX_DEPTH:
        return False
    brackets = text.translate(None, _NO_BRACKETS)
    for _ in range(MAX_DEPTH // 2):
        brackets = brackets.replace(b"{}", b"").replace(b"[]", b"")
    return brackets != b""


def _is_plain(text: bytes) -> bool:
    """Whether no value in it needs a look, which costs ten times as much as decoding."""
    return not (_may_hold_long_integers(text) or _is_nested(text))


def _as_go_reads(value: Any, levels: int) -> Any:
    if isinstance(value, dict | list) and not levels:
        raise RecursionError
    if isinstance(value, dict):
        return {key: _as_go_reads(item, levels - 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_go_reads(item, levels - 1) for item in value]
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        return float(value)
    return value


def canonical(body: bytes) -> bytes:
    """A body as text with sorted keys and Go's numbers: equal texts are equal metadata.

    Raises RequestError.
    """
    value = decode(body)
    return _encode_faithfully(value) or _encoder.encode(_checked(value, (), set()))


def encode(metadata: Metadata, limit: int) -> bytes:
    """The text of metadata that a plugin left behind, as canonical() has it.

    ``limit`` is in bytes, as Go would write it. Raises MetadataError with the path to the value.
    """
    text = _encode_faithfully(metadata)
    if text is None:
        try:
            text = _encoder.encode(_sorted(_checked(metadata, (), set())))
        except UnicodeEncodeError:
            path = _path(_find_surrogate(metadata, ()) or ())
            raise MetadataError(f"{path} holds a lone surrogate, which is no text") from None
    if len(text) * _MOST_OF_GO > limit and (size := go_size(text)) > limit:
        raise MetadataError(
            f"metadata is {size} bytes as the operator stores it, more than the {limit} bytes of"
            " MODULE_MAX_METADATA; store names, not contents"
        )
    return text


def _encode_faithfully(metadata: Metadata) -> bytes | None:
    """The text, if what it is decoded to equals the metadata; None when something is wrong.

    So what a plugin left is what it gets back, without a look at each value: that is needed only
    to name the path to what is wrong.
    """
    try:
        text = _encoder.encode(_sorted(metadata))
        if _is_flat(metadata):
            return text
        text, count = _WHOLE.subn(b"", text)
        if count:
            text = _MINUS_ZERO.sub(b"0", text)
        return text if _is_plain(text) and _decoder.decode(text) == metadata else None
    except Exception:  # noqa: BLE001 - no JSON, keys of several types, classes of somebody else's
        return None


def _sorted(value: dict[str, Any]) -> dict[str, Any]:
    """The dict in the order of its keys: the encoder's own sorting is slow for many unsorted."""
    keys = sorted(value)
    return value if keys == list(value) else {key: value[key] for key in keys}


def go_size(text: bytes) -> int:
    """The bytes that JSON text of ours takes once Go has written it."""
    size = len(text) + 5 * sum(map(text.count, (b"<", b">", b"&")))
    if not text.isascii():
        size += 3 * sum(map(text.count, (b"\xe2\x80\xa8", b"\xe2\x80\xa9")))
    if b"e-6" in text:  # Go writes 0.000001
        size += 4 * sum(text.count(b"e-6" + end) for end in (b",", b"}", b"]"))
    # and all digits of 1e20
    return size + sum(len(str(int(float(f)))) - len(f) for f in _LONG_FLOAT.findall(text))


Path = tuple[object, ...]


def _checked(value: Any, path: Path, above: set[int]) -> Any:
    """The value as plain JSON with Go's numbers; ``above`` are the containers that it is in."""
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return value
    if isinstance(value, dict):
        _descend(value, path, above)
        plain = _with_plain_keys(value, path)
        for key, item in plain.items():
            plain[key] = _checked(item, (*path, key), above)
        above.discard(id(value))
        return plain
    if isinstance(value, list | tuple):
        _descend(value, path, above)
        items = [_checked(item, (*path, index), above) for index, item in enumerate(value)]
        above.discard(id(value))
        return items
    return _checked_scalar(value, path)


def _with_plain_keys(value: dict[Any, Any], path: Path) -> dict[str, Any]:
    """The dict with keys of type str itself; raises MetadataError for one that is no text."""
    for key in value:
        if not isinstance(key, str):
            what = f"the key {key!r}" if isinstance(key, int | float) else "a key"
            raise MetadataError(
                f"{_path(path)}: {what} is of type {type_name(key)}; JSON's are strings"
            )
    return {str.__str__(key): item for key, item in value.items()}


def _checked_scalar(value: Any, path: Path) -> Any:
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


def copy(metadata: Metadata) -> bytes:
    """Metadata as text while its hook goes on changing it; raises when it is no JSON.

    The encoder holds the interpreter's lock throughout, so the text is of one moment.
    """
    return _encoder.encode(metadata)


def restore(metadata: MetadataText) -> Metadata:
    """What a hook is given. Raises RequestError where it is a body that is none."""
    if metadata.is_json:
        return decode(metadata.text)
    import json  # dear, and hardly ever needed

    value = json.loads(metadata.text)
    assert isinstance(value, dict)  # noqa: S101 - salvage() writes nothing else
    return value
