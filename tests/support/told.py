"""The forms in which ``tests/plugins/tells_secrets.py`` tells its secret."""

from __future__ import annotations

import base64
import json
import urllib.parse
from collections.abc import Callable

FORMS: dict[str, Callable[[str], str]] = {
    "plain": lambda text: text,
    "json": json.dumps,
    "json utf-8": lambda text: json.dumps(text, ensure_ascii=False),
    "json in json": lambda text: json.dumps(json.dumps({"password": text})),
    "url": urllib.parse.quote,
    "url plus": urllib.parse.quote_plus,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 of a longer text": lambda text: base64.b64encode(f"user:{text}".encode()).decode(),
    "base64, shifted": lambda text: base64.urlsafe_b64encode(f"my-user:{text}!".encode()).decode(),
    "repr": lambda text: repr([text]),
}
