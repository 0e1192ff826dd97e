"""The values of a Module's config, looked at as the operator does, in its words.

Regular expressions are Python's, which stand in for Go's; what RE2 does not have is refused as the
operator would.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Any, Final

from modulehost.plugin.re2 import not_re2

_MISSING: Final = object()
_KINDS: Final = {
    "integer": "integer",
    "boolean": "boolean",
    "string": "string",
    "option": "option",
    "multipleOptions": "multiple options",
}
"""The rules that an item may have, the first of them wins; and what they are called."""

Item = dict[str, Any]
Rule = dict[str, Any]


def refusal(items: list[Item], values: dict[str, Any]) -> str:
    """Why the operator does not take these values; empty when it does."""
    for item in items:
        alias = item["alias"]
        kind = next((kind for kind in _KINDS if kind in item), None)
        if kind is None:
            return f'unknown config type for alias "{alias}"'
        if problem := _problem(kind, item[kind], values.get(alias, _MISSING)):
            return f'failed to validate {_KINDS[kind]} config for alias "{alias}": {problem}'
    return ""


def notes(items: list[Item], values: dict[str, Any]) -> list[str]:
    """What somebody should know who has written the values, and the operator does not tell."""
    aliases = [item["alias"] for item in items]
    told = []
    for alias in values if aliases else ():
        if alias not in aliases:
            close = get_close_matches(alias, aliases, 1)
            cure = f"did you mean {close[0]}?" if close else f"there are {', '.join(aliases)}"
            told.append(f"spec.config: there is no item {alias}; {cure}")
    for item in items:
        regex = item.get("string", {}).get("regex")
        if regex and _compiled(regex) is None and not _not_re2(regex):
            told.append(f"{item['alias']}: its regex is not looked at here: Python cannot read it")
    return told


def _problem(kind: str, rule: Rule, value: object) -> str:
    if value is _MISSING:
        return f"a value is required for this {_KINDS[kind]} field" if rule.get("required") else ""
    if not rule.get("editable", True):
        return f"this {_KINDS[kind]} field is not editable"
    match kind:
        case "integer":
            return _integer_problem(value, rule.get("min"), rule.get("max"))
        case "boolean":
            return "" if isinstance(value, bool) else "input is not a boolean"
        case "string":
            return _string_problem(value, rule.get("regex", ""))
        case "option":
            return _option_problem(value, rule["values"])
    return "input is not an string array"  # whatever it is: the operator looks for the wrong type


def _integer_problem(value: object, least: int | None, most: int | None) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "input is not an integer"
    whole = int(value)  # 2.7 is 2, and stays 2.7 in config.json
    if least is not None and whole < least:
        return f"value {whole} is less than minimum {int(least)}"
    if most is not None and whole > most:
        return f"value {whole} is greater than maximum {int(most)}"
    return ""


def _string_problem(value: object, regex: str) -> str:
    if not isinstance(value, str):
        return "input is not a string"
    if not regex:
        return ""
    if unknown := _not_re2(regex):
        return f"invalid regex pattern: {unknown}"
    pattern = _compiled(regex)
    if pattern is not None and not pattern.search(value):
        return f"value '{value}' does not match the required regex pattern"
    return ""


def _option_problem(value: object, options: list[str]) -> str:
    if not isinstance(value, str):
        return "input is not a string"
    if value in options:
        return ""
    return f"invalid value '{value}', must be one of [{' '.join(options)}]"


def _not_re2(regex: str) -> str:
    """What in it Go cannot read."""
    lacks = not_re2(regex)
    return f"the operator cannot read its regex, for RE2 has no {lacks}" if lacks else ""


def _compiled(regex: str) -> re.Pattern[str] | None:
    """The regex as Python reads it, with Go's ASCII classes; None when it does not."""
    try:
        return re.compile(regex, re.ASCII)
    except (re.error, RecursionError, OverflowError):
        return None
