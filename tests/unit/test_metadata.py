"""Metadata: what is taken, what is refused, and that a plugin gets back what it stored."""

from __future__ import annotations

import datetime
import enum
import json
import random
import re
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from support import go
from support.properties import METADATA, TEXTS, VALUES, same, tried

from modulehost.shared.errors import MetadataError, RequestError
from modulehost.shared.metadata import (
    MAX_DEPTH,
    MAX_INTEGER,
    canonical,
    decode,
    encode,
    go_size,
)

ROOMY = 1 << 20


def nested(levels: int, inner: Any = 1, key: str | None = "a") -> Any:
    """A value that many levels down, in objects, or in arrays for no key."""
    for _ in range(levels):
        inner = [inner] if key is None else {key: inner}
    return inner


class TestDecode:
    """Request bodies."""

    @pytest.mark.parametrize("body", [b"", b" \r\n", b"null", b" null\n", b"{}", b"\t{ }"])
    def test_nothing_is_an_empty_object(self, body: bytes) -> None:
        """An empty body, null and {} are the same."""
        assert decode(body) == {}

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            (b"{", "the body is not JSON: "),
            (b"{}}", "the body is not JSON: "),
            (b"{'a': 1}", "the body is not JSON: "),
            (b'{"a": 01}', "the body is not JSON: "),
            (b'{"a": NaN}', "the body is not JSON: "),
            (b'{"a": Infinity}', "the body is not JSON: "),
            (b'{"a": 1,}', "the body is not JSON: "),
            (b'{"a": "\t"}', "the body is not JSON: "),
            (b"\xef\xbb\xbf{}", "the body is not JSON: "),
            (b"\x00", "the body is not JSON: "),
            (b'{"a": "\xff"}', "the body is not valid UTF-8 at byte 7"),
            (b'{"\xc3(": 1}', "the body is not valid UTF-8 at byte 2"),
            (b'{"a": "\xed\xa0\x80"}', "the body is not valid UTF-8 at byte 7"),
            (b'{"a": "\\ud800"}', "the body holds a lone surrogate at byte 7, which is no text"),
            (b'{"\\udfff": 1}', "the body holds a lone surrogate at byte 2, which is no text"),
            (
                b'{"\\\\ud800": "\\uD83D\\uDE00\\uDC00"}',
                "the body holds a lone surrogate at byte 25",
            ),
            (b'{"a": "\\\\ud800",}', "the body is not JSON: "),
            (b"[]", "the body is an array, not a JSON object"),
            (b'"{}"', "the body is a string, not a JSON object"),
            (b"true", "the body is a boolean, not a JSON object"),
            (b"0", "the body is a number, not a JSON object"),
            (b"1.5", "the body is a number, not a JSON object"),
            (b'{"a": 1e999}', "the body holds a number out of range"),
            (b'{"a": [-1e309]}', "the body holds a number out of range"),
            (b'{"a": %b}' % (b"9" * 400), "the body holds a number out of range"),
            (b'{"a": %b}' % (b"9" * 5000), "the body holds a number out of range"),
        ],
    )
    def test_a_refusal_says_what_is_wrong(self, body: bytes, reason: str) -> None:
        """What is no JSON object, or none that Go reads, is refused with a reason."""
        with pytest.raises(RequestError) as caught:
            decode(body)
        assert str(caught.value).startswith(reason)

    @pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"a":[', b'[{"a":'])
    @pytest.mark.parametrize("closed", [True, False])
    def test_a_bottomless_body_is_refused(self, opening: bytes, closed: bool) -> None:
        """Nesting far beyond every limit is refused as all else is, whether it ends or not."""
        ends = {b"[": b"]", b'{"a":': b"}", b'{"a":[': b"]}", b'[{"a":': b"}]"}
        body = b'{"a":' + opening * 50_000 + (b"1" + ends[opening] * 50_000) * closed + b"}"
        with pytest.raises(RequestError):
            decode(body)

    @pytest.mark.parametrize("key", ["a", None])
    def test_nesting_has_one_bound_for_both_ways(self, key: str | None) -> None:
        """As many levels as a plugin may store are read again, and no more."""
        deepest = {"a": nested(MAX_DEPTH - 1, key=key)}
        assert decode(encode(deepest, ROOMY)) == deepest
        too_deep = {"a": nested(MAX_DEPTH, key=key)}
        with pytest.raises(RequestError, match=f"more than {MAX_DEPTH} levels"):
            decode(json.dumps(too_deep).encode())
        with pytest.raises(MetadataError, match=f"more than {MAX_DEPTH} levels"):
            encode(too_deep, ROOMY)

    @tried
    @given(st.binary(max_size=200))
    @example(b'{"a":"\\ud800"}')
    @example(b'{"\\udfff":1}')
    def test_bytes_are_an_object_or_refused(self, body: bytes) -> None:
        """Whatever comes, there is an object or a RequestError."""
        self.decodes_or_refuses(body)

    @tried
    @given(VALUES, st.data())
    def test_damaged_json_is_an_object_or_refused(self, value: Any, data: st.DataObject) -> None:
        """JSON with a byte changed, taken away or put in does no harm either."""
        body = bytearray(json.dumps(value, ensure_ascii=data.draw(st.booleans())).encode())
        place = data.draw(st.integers(0, len(body)))
        body[place : place + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
        self.decodes_or_refuses(bytes(body))

    @tried
    @given(st.text('{}[]":,0123456789.eE-+\\und ', max_size=60))
    def test_json_like_text_is_an_object_or_refused(self, text: str) -> None:
        """Nor does text made of what JSON is made of."""
        self.decodes_or_refuses(text.encode())

    def decodes_or_refuses(self, body: bytes) -> None:
        """Decode; the outcome is an object that can be written again, or a RequestError."""
        try:
            value = decode(body)
        except RequestError as error:
            reason = str(error)
        else:
            assert decode(canonical(body)) == value
            return
        assert reason.startswith("the body ")

    @tried
    @given(METADATA, st.booleans(), st.sampled_from([None, 2]))
    def test_any_object_is_read(
        self, metadata: dict[str, Any], escaped: bool, indent: int | None
    ) -> None:
        """Every JSON object with numbers that Go reads comes in as it is."""
        text = json.dumps(metadata, ensure_ascii=escaped, indent=indent)
        assert same(decode(text.encode()), metadata)

    @tried
    @given(METADATA, st.randoms(use_true_random=False))
    def test_equal_objects_have_equal_texts(
        self, metadata: dict[str, Any], chance: random.Random
    ) -> None:
        """The order of the keys and the blanks of a body make no difference."""
        shuffled = _shuffled(metadata, chance)
        one, other = json.dumps(metadata, indent=1), json.dumps(shuffled)
        assert canonical(one.encode()) == canonical(other.encode())

    @tried
    @given(st.integers())
    @example(MAX_INTEGER)
    @example(-MAX_INTEGER - 1)
    def test_integers_beyond_are_the_floats_of_go(self, number: int) -> None:
        """An integer past 2^53 is the float that Go makes of it; others stay integers."""
        value = decode(b'{"a": [%d]}' % number)["a"][0]
        assert type(value) is (float if abs(number) > MAX_INTEGER else int)
        assert value == (float(number) if abs(number) > MAX_INTEGER else number)


def _shuffled(value: Any, chance: random.Random) -> Any:
    if isinstance(value, dict):
        pairs = [(key, _shuffled(item, chance)) for key, item in value.items()]
        chance.shuffle(pairs)
        return dict(pairs)
    return [_shuffled(item, chance) for item in value] if isinstance(value, list) else value


class TestRoundTrip:
    """Through the operator and back."""

    @tried
    @given(METADATA)
    @example({"a": 1e16, "b": 2.0**53, "c": -1e20, "d": 1e21, "e": 1e-6, "f": 5e-324, "g": -0.0})
    def test_what_a_plugin_stored_is_what_it_gets_back(self, metadata: dict[str, Any]) -> None:
        """Metadata that was taken comes back equal from Go."""
        kept = go.round_trip(encode(metadata, ROOMY))
        assert same(decode(canonical(kept)), metadata)

    @tried
    @given(METADATA)
    def test_integers_stay_integers(self, metadata: dict[str, Any]) -> None:
        """A whole number comes back as an int, a fraction as a float."""
        metadata = {"count": 3, "whole": 3.0, "half": 0.5, **metadata}
        back = decode(go.round_trip(encode(metadata, ROOMY)))
        for key in ("count", "whole", "half"):
            assert type(back[key]) is type(_plain(metadata[key]))

    @tried
    @given(METADATA)
    @example({"a": 1e16, "b": -1e20, "c": 1.2345678901234567e20, "d": 123456789012345678})
    def test_metadata_left_alone_is_sent_with_the_same_text(self, body: dict[str, Any]) -> None:
        """The journal can compare texts: what a hook leaves as it is comes back as it was sent."""
        sent = canonical(go.encode(go.decode(json.dumps(body).encode())))
        left = encode(decode(sent), ROOMY)
        assert canonical(go.round_trip(left)) == sent

    @tried
    @given(METADATA)
    def test_encoding_sorts_keys_and_changes_nothing(self, metadata: dict[str, Any]) -> None:
        """The text is JSON of the same metadata, its keys in order on every level."""
        text = encode(metadata, ROOMY)
        assert same(json.loads(text), metadata)
        json.loads(text, object_pairs_hook=_assert_sorted)

    @tried
    @given(METADATA)
    @example({"a": [1e-6, 1.5e-6, -9.99e-6, 1e-5, 9.9e-7], "b": 1e-6})
    @example({"a": [1e16, -(2.0**53) - 2, 9.1e15, 1e20, 1.5e20, 9.99e20, 1e21, -1.5e300]})
    def test_sizes_are_those_of_go(self, metadata: dict[str, Any]) -> None:
        """The size is what Go writes, less the plus sign in 1e+21 and larger numbers.

        A number of the form 1.5e-6 may count a byte too many.
        """
        assume(not any("e-6" in word for word in _texts(metadata)))
        large = [value for value in _numbers(metadata) if abs(value) >= 1e21]
        small = [value for value in _numbers(metadata) if 1e-6 <= abs(value) < 1e-5]
        kept = len(go.round_trip(encode(metadata, ROOMY)))
        assert 0 <= _size(metadata) + len(large) - kept <= len(small)

    @tried
    @given(st.lists(st.sampled_from(["1e-6,", "9e-6]", "e-6}", "<", "\u2028", "x"])))
    def test_sizes_are_never_too_small(self, words: list[str]) -> None:
        """Text that looks like a number can only make the size too large, by four bytes each."""
        text = encode({"text": "".join(words)}, ROOMY)
        surplus = go_size(text) - len(go.round_trip(text))
        assert 0 <= surplus <= 4 * len(words)

    @tried
    @given(VALUES)
    def test_the_limit_counts_as_go_writes(self, value: Any) -> None:
        """Metadata of just the limit is taken; one byte more is refused with both figures."""
        size = _size({"a": value})
        encode({"a": value}, size)
        with pytest.raises(MetadataError) as caught:
            encode({"a": value}, size - 1)
        assert str(caught.value) == (
            f"metadata is {size} bytes as the operator stores it, more than the {size - 1} bytes"
            " of MODULE_MAX_METADATA; store names, not contents"
        )

    def test_html_is_six_bytes_a_character(self) -> None:
        """Markup counts as it is stored: escaped."""
        text = encode({"page": "<>&\u2028\u2029"}, ROOMY)
        assert go_size(text) == len(b'{"page":""}') + 5 * 6


def _size(metadata: dict[str, Any]) -> int:
    """The size for which metadata is refused."""
    with pytest.raises(MetadataError) as caught:
        encode(metadata, 1)
    return int(str(caught.value).split()[2])


def _plain(value: float) -> float:
    return int(value) if float(value).is_integer() else value


def _assert_sorted(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert [key for key, _ in pairs] == sorted(key for key, _ in pairs)
    return dict(pairs)


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [*value, *(leaf for item in value.values() for leaf in _leaves(item))]
    return (
        [leaf for item in value for leaf in _leaves(item)] if isinstance(value, list) else [value]
    )


def _numbers(metadata: dict[str, Any]) -> list[float]:
    return [leaf for leaf in _leaves(metadata) if type(leaf) in (int, float)]


def _texts(metadata: dict[str, Any]) -> list[str]:
    return [leaf for leaf in _leaves(metadata) if isinstance(leaf, str)]


class Colour(str, enum.Enum):  # noqa: UP042 - the older way, of which many are there
    """An enumeration of texts."""

    RED = "red"


class Size(enum.IntEnum):
    """An enumeration of integers."""

    LARGE = 3


class Text(str):
    """A str of somebody's own."""

    __slots__ = ()

    def __str__(self) -> str:
        return "not this"


def circle() -> dict[str, Any]:
    """A list that contains itself."""
    ring: list[Any] = []
    ring.append(ring)
    return {"a": {"b": ring}}


BAD: list[tuple[Any, str]] = [
    (float("nan"), "is NaN or infinite"),
    (float("inf"), "is NaN or infinite"),
    (float("-inf"), "is NaN or infinite"),
    (MAX_INTEGER + 1, "is an integer beyond 2^53"),
    (-MAX_INTEGER - 1, "is an integer beyond 2^53"),
    (10**400, "is an integer beyond 2^53"),
    ("\ud800", "holds a lone surrogate"),
    ("fine \udfff until here", "holds a lone surrogate"),
    ({"\ud800": 1}, "holds a lone surrogate"),
    (b"bytes", "is of type bytes, which is not JSON"),
    ({1, 2}, "is of type set, which is not JSON"),
    (datetime.date(2025, 10, 14), "is of type date, which is not JSON"),
    (1j, "is of type complex, which is not JSON"),
    (object(), "is of type object, which is not JSON"),
    ({1: "one"}, ": the key 1 is of type int; JSON's are strings"),
    ({0.5: "half"}, ": the key 0.5 is of type float; JSON's are strings"),
    ({True: "yes"}, ": the key True is of type bool; JSON's are strings"),
    ({None: "none"}, ": a key is of type NoneType; JSON's are strings"),
    ({("a", 1): "pair"}, ": a key is of type tuple; JSON's are strings"),
    ({"a": 1, 2: 3}, ": the key 2 is of type int; JSON's are strings"),
]


class TestEncode:
    """What plugins leave behind."""

    @tried
    @given(
        st.lists(st.text("abé<'", max_size=3) | st.integers(0, 2), max_size=5),
        st.sampled_from(BAD),
        TEXTS,
    )
    def test_a_refusal_names_the_path(
        self, path: list[str | int], bad: tuple[Any, str], beside: str
    ) -> None:
        """Wherever it is, what cannot be kept is found, named as in Python, with the reason."""
        value, reason = bad
        for step in reversed(path):
            value = {beside: [beside], step: value} if isinstance(step, str) else [
                *([{"x": None}] * step), value
            ]  # fmt: skip
        with pytest.raises(MetadataError) as caught:
            encode({"a": value}, ROOMY)
        steps = "".join(f"[{step}]" if isinstance(step, int) else f'["{step}"]' for step in path)
        assert str(caught.value).startswith(
            f'metadata["a"]{steps}{"" if reason[0] == ":" else " "}{reason}'
        )

    def test_refusals_show_no_values(self) -> None:
        """A reason never holds what a plugin stored."""
        for value in (f"{2**60}-\ud800", 2**60, b"1152921504606846976"):
            with pytest.raises(MetadataError) as caught:
                encode({"a": value}, ROOMY)
            assert str(2**60) not in str(caught.value)

    def test_what_contains_itself_is_refused(self) -> None:
        """A circle ends in an error with its path, not in a loop."""
        with pytest.raises(MetadataError, match=re.escape('metadata["a"]["b"][0] contains itself')):
            encode(circle(), ROOMY)

    def test_what_is_there_twice_is_written_twice(self) -> None:
        """One list in two places is no circle."""
        twice = [1]
        assert encode({"a": twice, "b": [twice, twice]}, ROOMY) == b'{"a":[1],"b":[[1],[1]]}'

    def test_too_deep_names_where_it_begins(self) -> None:
        """The path of what is nested too deeply is cut after three steps."""
        with pytest.raises(MetadataError, match=re.escape('metadata["a"]["b"]["b"]… is nested')):
            encode({"a": nested(500, key="b")}, ROOMY)

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ((1, ("a", None)), b'[1,["a",null]]'),
            (Colour.RED, b'"red"'),
            (Size.LARGE, b"3"),
            (Text("this"), b'"this"'),
            ({Text("this"): 1, Colour.RED: 2}, b'{"red":2,"this":1}'),
            (True, b"true"),
            (-0.0, b"0"),
            (3.0, b"3"),
            (1e20, b"1e20"),
            (MAX_INTEGER, b"9007199254740992"),
            ('\x00\b\f\n\r\t"\\/\x7f', rb'"\u0000\b\f\n\r\t\"\\/' + b'\x7f"'),
        ],
    )  # fmt: skip
    def test_what_is_nearly_json_is_written_as_such(self, value: Any, text: bytes) -> None:
        """Tuples are arrays, subclasses what they stand for, whole floats integers."""
        assert encode({"a": value}, ROOMY) == b'{"a":%b}' % text

    @tried
    @given(METADATA)
    def test_the_metadata_itself_stays_as_it_is(self, metadata: dict[str, Any]) -> None:
        """Encoding changes nothing in the plugin's own object."""
        before = repr(metadata)
        encode(metadata, ROOMY)
        assert repr(metadata) == before
