"""Metadata as what it is beneath its classes: an heir of ``dict`` or ``int`` may lie or raise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from modulehost.shared.describe import exact, text_of, type_name

_LEVELS: Final = 400
_LARGEST: Final = 10_000  # bits; Python writes no integer of more than 4300 digits

Other = Callable[[object], Any]


def plain_copy(metadata: object) -> Any:
    """A copy in JSON's own types; in place of what is of another stands a thing of that name."""
    return _plain(metadata, _stand_in, _LEVELS, frozenset())


def salvage(metadata: object) -> bytes | None:
    """What is no JSON as text that ``metadata.restore`` reads, as whole as can be; never raises.

    NaN, lone surrogates and large integers stay what they are, an object is its text. None when
    there is no memory for it, or another thread goes on changing it.
    """
    try:
        import json  # dear, and hardly ever needed

        return json.dumps(_plain(metadata, _as_text, _LEVELS, frozenset())).encode()
    except BaseException:  # noqa: BLE001 - SystemExit and KeyboardInterrupt, too
        return None


def salvage_within(metadata: object, most: int) -> tuple[bytes | None, list[str]]:
    """The same in at most so many bytes, and the keys that are left out for it, largest first."""
    try:
        import json

        plain = _plain(metadata, _as_text, _LEVELS, frozenset())
        sizes = {key: len(json.dumps({key: value})) for key, value in plain.items()}
        dropped: list[str] = []
        for key in sorted(sizes, key=sizes.__getitem__, reverse=True):
            if sum(sizes.values()) <= most:
                break
            del sizes[key], plain[key]
            dropped.append(str(key))
        return json.dumps(plain).encode(), dropped
    except BaseException:  # noqa: BLE001 - SystemExit and KeyboardInterrupt, too
        return None, []


def _plain(value: Any, other: Other, levels: int, above: frozenset[int]) -> Any:
    kind = type(value)
    if value is None or kind is bool:
        return value
    if issubclass(kind, str):
        return exact(value)
    if issubclass(kind, int):
        number = int.__add__(value, 0)
        return number if number.bit_length() < _LARGEST else hex(number)
    if issubclass(kind, float):
        return float.__add__(value, 0.0)
    if not issubclass(kind, dict | list | tuple) or not levels or id(value) in above:
        return other(value)
    inside = above | {id(value)}
    if issubclass(kind, dict):
        pairs = [*dict.items(value)]
        return {_key(k, other): _plain(v, other, levels - 1, inside) for k, v in pairs}
    items = [*(list if issubclass(kind, list) else tuple).__iter__(value)]
    return [_plain(item, other, levels - 1, inside) for item in items]


def _key(key: object, other: Other) -> Any:
    return _plain(key, other, 0, frozenset())  # json makes text of numbers


def _as_text(value: object) -> str:
    return text_of(value) or f"<{type_name(value)}>"


def _stand_in(value: object) -> object:
    return type(type_name(value), (), {})()
