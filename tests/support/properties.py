"""What the property tests share: how much they try, and metadata as a plugin may store it."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from modulehost.shared.metadata import MAX_INTEGER

tried = settings(
    deadline=None, max_examples=60, database=None, suppress_health_check=[HealthCheck.too_slow]
)
"""For each property: ``@tried`` above ``@given``. How slow this machine is, is no matter."""

tried_less = settings(tried, max_examples=30)
"""For properties whose every example takes processes, threads or sockets."""

NUMBERS = st.integers(-MAX_INTEGER, MAX_INTEGER) | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(max_size=20) | st.text(
    '<>&\u2028\u2029"\\\x00\b\f\n\x7f\u00e9\U0001f600', max_size=9
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
METADATA: st.SearchStrategy[dict[str, Any]] = st.dictionaries(TEXTS, VALUES, max_size=5)


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal, where 1 is 1.0 but True is not 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)
