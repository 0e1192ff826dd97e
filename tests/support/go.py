"""What Go's ``encoding/json`` makes of a JSON text: decoded to ``map[string]any``, encoded again.

Written from Go's documentation and source (1.22 and later), and compared with the real thing by
hand: the operator keeps metadata this way, and the tests must not need Go.
"""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any

_ESCAPES = {
    '"': '\\"',
    "\\": "\\\\",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    **{c: f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"},
}


def round_trip(text: bytes) -> bytes:
    """The text as it comes back from the operator. Raises ValueError for what Go refuses."""
    return encode(decode(text))


def decode(text: bytes) -> Any:
    """``json.Unmarshal`` into ``any``: every number a float, what is no text U+FFFD."""
    return json.loads(
        text.decode("utf-8", "replace"),
        parse_int=_float,
        parse_float=_float,
        parse_constant=_refuse,
    )


def encode(value: Any) -> bytes:
    """``json.Marshal``: keys sorted, numbers in Go's form, HTML escaped."""
    return _text(value).encode()


def _float(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ValueError(f"json: cannot unmarshal number {digits} into Go value of type float64")
    return value


def _refuse(constant: str) -> float:
    raise ValueError(f"invalid character {constant[0]!r} looking for beginning of value")


def _text(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return _string(value)
        case float():
            return number(value)
        case list():
            return f"[{','.join(map(_text, value))}]"
        case dict():
            # Go compares bytes, which for UTF-8 is the order of the code points
            pairs = sorted((_clean(key), item) for key, item in value.items())
            return f"{{{','.join(f'{_string(key)}:{_text(item)}' for key, item in pairs)}}}"
    raise TypeError(f"Go's decoder makes no {type(value).__name__}")


def _clean(text: str) -> str:
    return "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text)


def _string(text: str) -> str:
    pieces = (_ESCAPES.get(c, c if c >= " " else f"\\u{ord(c):04x}") for c in _clean(text))
    return f'"{"".join(pieces)}"'


def number(value: float) -> str:
    """``floatEncoder``: the shortest digits; with an exponent below 1e-6 and from 1e21 on."""
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)
    minus = "-" if sign else ""
    if value == 0:
        return f"{minus}0"
    text = "".join(map(str, digits))
    if 1e-6 <= abs(value) < 1e21:
        return f"{minus}{Decimal(text).scaleb(exponent):f}"
    point = f"{text[0]}.{text[1:]}" if len(text) > 1 else text
    power = exponent + len(text) - 1
    return f"{minus}{point}e{'+' if power > 0 else '-'}{abs(power)}"
