"""Takes secrets out of texts and streams, in every form of ``secret_forms.py``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from modulehost.shared.secret_forms import SHORTEST, forms_of

STARS: Final = "***"

MOST: Final = 1000
"""Secrets that are known at a time; of more the oldest is forgotten."""

_STARS: Final = STARS.encode()

Span = tuple[int, int]


class Redactor:
    """The secrets of one process. Any thread may ask it and add to it."""

    def __init__(self) -> None:
        self._forms_of: dict[str, frozenset[bytes]] = {}
        self.forms: tuple[bytes, ...] = ()

    @property
    def secrets(self) -> list[str]:
        """What is known, the oldest first."""
        return list(self._forms_of)

    def add(self, secrets: Iterable[str]) -> list[str]:
        """Take secrets out from now on; those that are new. Too short ones are passed over."""
        known = dict(self._forms_of)
        new = []
        for secret in secrets:
            if is_too_short(secret):
                continue
            forms = known.pop(secret, None)
            if forms is None:
                forms = forms_of(secret)
                new.append(secret)
            known[secret] = forms  # now the youngest
        for oldest in list(known)[: max(0, len(known) - MOST)]:
            del known[oldest]
        self._forms_of = known
        if new:
            self.forms = tuple(frozenset().union(*known.values()))
        return new

    def text(self, text: str) -> str:
        """The text without secrets."""
        if not self.forms:
            return text
        data = text.encode("utf-8", "surrogatepass")
        redacted = self.data(data)
        return text if redacted is data else redacted.decode("utf-8", "surrogatepass")

    def data(self, data: bytes) -> bytes:
        """UTF-8 without secrets; the same object when there are none."""
        spans = _spans(data, self.forms)
        return _without(data, len(data), spans)[0] if spans else data

    def stream(self) -> Stream:
        """For what comes in pieces."""
        return Stream(self)


class Stream:
    """Holds back only what may be the beginning of a secret."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._held = b""
        self._starred = 0  # bytes at the front of it for which stars are out already

    @property
    def holds_lines(self) -> bool:
        """Whether a whole line is held back."""
        return b"\n" in self._held

    def feed(self, data: bytes) -> bytes:
        """What is known to be no part of a secret, or was one."""
        forms = self._redactor.forms
        if not forms and not self._held:
            return data
        data = self._held + data
        return self._let_go(data, _end_that_may_go_on(data, forms))

    def flush(self) -> bytes:
        """All that is held back: the stream has ended."""
        return self._let_go(self._held, len(self._held))

    def flush_lines(self) -> bytes:
        """The whole lines that are held back: nothing has come for a while."""
        return self._let_go(self._held, self._held.rfind(b"\n") + 1)

    def _let_go(self, data: bytes, end: int) -> bytes:
        spans = _spans(data, self._redactor.forms)
        out, done = _without(data, end, spans, self._starred)
        self._held, self._starred = data[end:], done - end
        return out


def is_too_short(secret: str) -> bool:
    """Whether taking it out would blot every other line."""
    return len(secret.strip()) < SHORTEST


def _spans(data: bytes, forms: Sequence[bytes]) -> list[Span]:
    """Where in the data secrets are; those that overlap are one."""
    found: list[Span] = []
    for form in forms:
        at = data.find(form)
        while at >= 0:
            found.append((at, at + len(form)))
            at = data.find(form, at + 1)
    found.sort()
    spans: list[Span] = []
    for start, end in found:
        if spans and start < spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return spans


def _without(data: bytes, end: int, spans: list[Span], starred: int = 0) -> tuple[bytes, int]:
    """The data up to ``end`` with stars for secrets, and how far it is dealt with, or stars are.

    For the first ``starred`` bytes stars are out already.
    """
    out = []
    done = starred
    for start, stop in spans:
        if start >= max(end, done):
            break
        if start >= done:
            out += [data[done:start], _STARS]
        done = max(done, stop)
    out.append(data[done:end])
    return b"".join(out), max(done, end)


def _end_that_may_go_on(data: bytes, forms: Sequence[bytes]) -> int:
    """Where the longest end of the data begins that may be the beginning of a secret."""
    end = len(data)
    for form in forms:
        first = form[:1]
        at = data.find(first, max(0, len(data) - len(form) + 1), end)
        while at >= 0:
            if form.startswith(data[at:]):
                end = at
                break
            at = data.find(first, at + 1, end)
    return end
