"""The forms that a secret commonly takes on its way into a log.

As it is; as JSON has it, for ASCII alone or not, as Go writes it, and JSON in JSON; URL-quoted; in
Base64, wherever in a longer text of Base64 it stands; as Python's ``repr`` has it, and as a shell
quotes it. Of a secret of several lines each longer line counts by itself, too.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Iterator
from typing import Final

SHORTEST: Final = 4
"""Characters of a secret, and bytes of a form: what is shorter stands in every other line."""

SHORTEST_LINE: Final = 8
"""Characters of a line of a secret that counts by itself."""

_JSON: Final = {c: f"\\u{c:04x}" for c in range(32)} | {
    ord(c): f"\\{short}" for c, short in zip('"\\\b\f\n\r\t', '"\\bfnrt', strict=True)
}
_GO: Final = _JSON | {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}
_UNRESERVED: Final = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~"
)
_URL_SAFE: Final = (
    b"",  # quote_plus(), Go's QueryEscape
    b"/",  # quote()
    b"!*'()",  # JavaScript's encodeURIComponent
    b"$&+,;=",  # the user and password of a URL, as Go writes them
)
_BASE64_LINES: Final = (64, 76)  # characters of a line: in PEM, and in MIME and of ``base64``
_TO_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


def forms_of(secret: str) -> frozenset[bytes]:
    """The forms, none shorter than ``SHORTEST``."""
    forms: set[bytes] = set()
    for text in {secret, secret.strip()}:
        data = _bytes(text)
        forms |= {*map(_bytes, _escaped(text)), *_url_quoted(data), *_base64(data)}
    lines = [line.strip() for line in secret.splitlines()]
    if len(lines) > 1:
        forms |= {_bytes(line) for line in lines if len(line) >= SHORTEST_LINE}
    return frozenset(form for form in forms if len(form.strip()) >= SHORTEST)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _escaped(text: str) -> Iterator[str]:
    """As it is, and as JSON, Python and the shell write it between their quotes."""
    yield text
    for once in {text.translate(_JSON), text.translate(_GO)}:
        for form in (once, _ascii(once)):
            yield form
            yield form.translate(_JSON)
    for form in (repr(text)[1:-1], ascii(text)[1:-1], repr(_bytes(text))[2:-1]):
        yield form
        yield form.replace("\\'", "'").replace("'", "\\'")
    yield text.replace("'", "'\"'\"'")
    yield text.replace("'", "'\\''")


def _ascii(text: str) -> str:
    return "".join(c if " " <= c <= "~" else _utf16(c) for c in text)


def _utf16(character: str) -> str:
    data = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{data[at : at + 2].hex()}" for at in range(0, len(data), 2))


def _url_quoted(data: bytes) -> Iterator[bytes]:
    for safe in _URL_SAFE:
        for percent in ("%%%02X", "%%%02x"):
            plain = _UNRESERVED.union(safe)
            quoted = b"".join(
                bytes((byte,)) if byte in plain else (percent % byte).encode() for byte in data
            )
            yield quoted
            yield quoted.replace(b"%20", b"+")


def _base64(data: bytes) -> Iterator[bytes]:
    """What of its Base64 depends on nothing else, at each place among the groups of three."""
    for before in range(3):
        encoded = b2a_base64(bytes(before) + data, newline=False)
        start = -(-before * 8 // 6)
        whole = (before + len(data)) * 8 // 6
        forms = [encoded[start:whole], encoded[start:]]  # the latter where the text ends with it
        if not before:
            for width in _BASE64_LINES:
                if len(encoded) > width:
                    lines = [encoded[at : at + width] for at in range(0, len(encoded), width)]
                    forms += [line for line in lines if len(line) >= SHORTEST_LINE]
        for form in forms:
            yield form
            yield form.translate(_TO_URL_SAFE)
