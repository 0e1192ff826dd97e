"""Secrets are taken out wherever a stream is cut, in every form; all else comes out as it was."""

from __future__ import annotations

import base64
import json
import urllib.parse
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from support.properties import tried

from modulehost.shared.redaction import MOST, Redactor, is_too_short
from modulehost.shared.secret_forms import SHORTEST, forms_of

FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON in UTF-8": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "JSON in JSON": lambda text: json.dumps(json.dumps(text)[1:-1])[1:-1],
    "URL": urllib.parse.quote,
    "URL, all": lambda text: urllib.parse.quote(text, safe=""),
    "URL plus": urllib.parse.quote_plus,
    "repr": lambda text: repr(text)[1:-1],
    "repr of bytes": lambda text: repr(text.encode())[2:-1],
    "Base64": lambda text: base64.b64encode(text.encode()).decode(),
    "Base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
}
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="*"), min_size=4, max_size=30)
SECRETS = TEXTS.filter(lambda text: not is_too_short(text))


def redactor_of(*secrets: str) -> Redactor:
    """One that knows them."""
    redactor = Redactor()
    redactor.add(secrets)
    return redactor


def streamed(redactor: Redactor, data: bytes, cuts: list[int]) -> bytes:
    """The data in pieces through a stream."""
    stream = redactor.stream()
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    pieces = [data[start:end] for start, end in pairwise(places)]
    return b"".join([*map(stream.feed, pieces), stream.flush()])


@tried
@given(
    st.lists(SECRETS, min_size=1, max_size=3),
    st.lists(st.tuples(st.text(max_size=20), st.sampled_from([*FORMS]), st.integers(0, 2))),
    st.lists(st.integers(min_value=0)),
)
def test_no_form_of_a_secret_gets_through(
    secrets: list[str], told: list[tuple[str, str, int]], cuts: list[int]
) -> None:
    """Whatever stands around it, wherever the stream is cut; as in one piece."""
    redactor = redactor_of(*secrets)
    parts = [before + FORMS[form](secrets[which % len(secrets)]) for before, form, which in told]
    data = "".join(parts).encode("utf-8", "surrogatepass")
    shown = streamed(redactor, data, cuts)
    assert shown == redactor.data(data)
    between = shown.split(b"***")
    for secret in secrets:
        for form in forms_of(secret):
            assert all(form not in part for part in between)


@tried
@given(st.lists(SECRETS, max_size=3), st.binary(max_size=300), st.lists(st.integers(min_value=0)))
def test_all_else_comes_out_as_it_was(secrets: list[str], data: bytes, cuts: list[int]) -> None:
    """Whole and in order, be it text or not."""
    redactor = redactor_of(*secrets)
    assume(not any(form in data for form in redactor.forms))
    assert streamed(redactor, data, cuts) == data
    assert redactor.data(data) is data


@tried
@given(SECRETS, st.binary(max_size=20), st.binary(max_size=20))
def test_it_stands_anywhere_in_a_longer_text_of_base64(
    secret: str, before: bytes, after: bytes
) -> None:
    """As in the data of a Kubernetes Secret, or in Basic auth: of it at most its ends remain."""
    data = secret.encode()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        encoded = encode(before + data + after)
        shown = redactor_of(secret).data(encoded)
        assert b"***" in shown
        first, last = -(-len(before) * 8 // 6), (len(before) + len(data)) * 8 // 6
        assert encoded[first:last] not in shown


@tried
@given(SECRETS, st.text(max_size=20), st.text(max_size=20))
def test_a_text_is_redacted_as_its_bytes_are(secret: str, before: str, after: str) -> None:
    """A lone surrogate in it does no harm."""
    shown = redactor_of(secret).text(f"{before}{secret}{after}")
    assert "***" in shown
    assert redactor_of(secret).text("\ud800 is no text") == "\ud800 is no text"


def test_secrets_that_overlap_leave_nothing() -> None:
    """Neither the one that begins first nor the one that ends last."""
    assert redactor_of("abcdef", "defghi").text("-abcdefghi-") == "-***-"
    assert redactor_of("aaaa").text("aaaaaa") == "***"
    assert streamed(redactor_of("abcdef", "defghi"), b"-abcdefghi-", [*range(11)]) == b"-***-"


def test_a_stream_holds_back_only_what_may_be_a_secrets_beginning() -> None:
    """And all of that at its end; whole lines when nothing comes."""
    stream = redactor_of("hunter2\nsecond").stream()
    assert stream.feed(b"login h") == b"login "
    assert stream.feed(b"ey!") == b"hey!"
    assert stream.feed(b"hunter2\n") == b""
    assert stream.holds_lines
    assert stream.flush_lines() == b"hunter2\n"
    assert stream.feed(b"hunt") == b""
    assert stream.flush() == b"hunt"


def test_each_longer_line_of_a_secret_counts() -> None:
    """Programs indent, number and sort lines."""
    key = "-----BEGIN KEY-----\nMIIBVgIBADANBg\nq1\n-----END KEY-----\n"
    shown = redactor_of(key).text("  | MIIBVgIBADANBg\n  | q1 is short\n")
    assert shown == "  | ***\n  | q1 is short\n"


@pytest.mark.parametrize("secret", ["", "abc", "  a  ", "\n\n\n\n\n"])
def test_what_is_too_short_is_left_alone(secret: str) -> None:
    """It would blot every other line."""
    redactor = redactor_of(secret)
    assert is_too_short(secret)
    assert redactor.forms == ()


def test_no_form_is_shorter_than_a_secret_may_be() -> None:
    """Base64 without its ends, above all."""
    assert min(map(len, forms_of("ab c"))) >= SHORTEST


def test_the_oldest_are_forgotten() -> None:
    """However many a plugin makes up, the memory is bounded; what is told again stays."""
    redactor = redactor_of("the-first-one", "the-second-one")
    assert redactor.add(["the-first-one"]) == []
    redactor.add(f"another-{number}" for number in range(MOST - 1))
    assert len(redactor.secrets) == MOST
    assert redactor.text("the-first-one the-second-one") == "*** the-second-one"
