"""Knows a Kubernetes API's 401 in what exceptions say and programs write.

Client libraries and programs each put it in their own words; what they have in common is the
status, or the reason in it.
"""

from __future__ import annotations

import re

_SAYS_SO = re.compile(
    r"\bUnauthorized(?:Error)?\b"  # the reason of the API's Status, and HTTP's phrase
    r"|asked for the client to provide credentials"  # kubectl, helm: client-go
    r"|(?i:\b(?:http|status|code|error)\W{1,4}401\b)"
)


def is_unauthorized(text: str) -> bool:
    """Whether a text tells of a 401."""
    return _SAYS_SO.search(text) is not None
