"""The values of a Module's config, looked at as the operator does, in its words.

Regular expressions are Python's, which stand in for Go's; what RE2 does not have is refused as the
operator would.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Any, Final

from modulehost.local.items import (
    BooleanRule,
    IntegerRule,
    Items,
    NewItem,
    OldItem,
    OldRule,
    OptionRule,
    Rule,
    StringRule,
)
from modulehost.plugin.definition import regex_warnings

_MISSING: Final = object()
_KINDS: Final = {
    "integer": "integer",
    "boolean": "boolean",
    "string": "string",
    "option": "option",
    "multipleOptions": "multiple options",
}


def refusal(items: Items, values: dict[str, Any], *, is_old: bool) -> str:
    """Why the operator does not install a module with these values; empty when it does."""
    if is_old and (unknown := sorted(values.keys() - {item.alias for item in items})):
        return f"failed to validate configuration: unknown field '{unknown[0]}' provided in input"
    for item in items:
        value = values.get(item.alias, _MISSING)
        if isinstance(item, OldItem):
            if problem := _old_problem(item, value):
                return f"failed to validate configuration: {problem}"
            continue
        kind = next((key for key in _KINDS if getattr(item, key) is not None), None)
        if kind is None:
            return f'unknown config type for alias "{item.alias}"'
        if problem := _new_problem(item, kind, value):
            return f'failed to validate {_KINDS[kind]} config for alias "{item.alias}": {problem}'
    return ""


def notes(items: Items, values: dict[str, Any]) -> list[str]:
    """What somebody should know who has written the values, and the operator does not tell."""
    aliases = [item.alias for item in items]
    told = []
    for alias in values if aliases else ():
        if alias not in aliases:
            close = get_close_matches(alias, aliases, 1)
            cure = f"did you mean {close[0]}?" if close else f"there are {', '.join(aliases)}"
            told.append(f"spec.config: there is no item {alias}; {cure}")
    for item in items:
        regex = item.spec.regex if isinstance(item, OldItem) else _regex(item)
        if regex and _compiled(regex) is None and not _not_re2(regex):
            told.append(f"{item.alias}: its regex is not looked at here: Python cannot read it")
    return told


def _regex(item: NewItem) -> str:
    return (item.string.regex or "") if item.string else ""


def _new_problem(item: NewItem, kind: str, value: object) -> str:
    rule: Rule = getattr(item, kind)
    words = _KINDS[kind]
    if value is _MISSING:
        return f"a value is required for this {words} field" if rule.required else ""
    if not rule.editable:
        return f"this {words} field is not editable"
    match rule:
        case IntegerRule():
            return _integer_problem(value, rule.min, rule.max)
        case BooleanRule():
            return "" if isinstance(value, bool) else "input is not a boolean"
        case StringRule():
            return _string_problem(value, rule.regex or "")
        case OptionRule():
            return _option_problem(value, rule.values)
    return "input is not an string array"  # whatever it is: the operator looks for the wrong type


def _old_problem(item: OldItem, value: object) -> str:
    rule = item.spec
    if value is _MISSING:
        return f"field '{item.alias}' is required but missing" if rule.required else ""
    if not rule.editable:
        return f"field '{item.alias}' is not editable"
    match item.type:
        case "string":
            problem = _string_problem(value, rule.regex or "")
        case "integer":
            problem = _integer_problem(value, rule.min, rule.max)
        case "float":
            problem = _float_problem(value, rule.min, rule.max)
        case "boolean":
            problem = "" if isinstance(value, bool) else "input is not a boolean"
        case "option":
            problem = _option_problem(value, rule.options)
        case _:
            problem = _options_problem(value, rule)
    return f"validation failed for field '{item.alias}': {problem}" if problem else ""


def _integer_problem(value: object, least: float | None, most: float | None) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "input is not an integer"
    whole = int(value)  # 2.7 is 2, and stays 2.7 in config.json
    if least is not None and whole < least:
        return f"value {whole} is less than minimum {int(least)}"
    if most is not None and whole > most:
        return f"value {whole} is greater than maximum {int(most)}"
    return ""


def _float_problem(value: object, least: float | None, most: float | None) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "input is not a float"
    if least is not None and value < least:
        return f"value {value:f} is less than minimum {least:f}"
    if most is not None and value > most:
        return f"value {value:f} is greater than maximum {most:f}"
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


def _options_problem(value: object, rule: OldRule) -> str:
    if not isinstance(value, list):
        return "input is not an array"
    if rule.min is not None and len(value) < rule.min:
        return f"must select at least {int(rule.min)} options"
    if rule.max is not None and len(value) > rule.max:
        return f"must select at most {int(rule.max)} options"
    for one in value:
        if not isinstance(one, str):
            return "all options must be strings"
        if one not in rule.options:
            return f"invalid option '{one}', must be one of [{' '.join(rule.options)}]"
    return ""


def _not_re2(regex: str) -> str:
    """What in it Go cannot read."""
    told = [text for text in regex_warnings(regex) if "cannot read" in text]
    return told[0] if told else ""


def _compiled(regex: str) -> re.Pattern[str] | None:
    """The regex as Python reads it, with Go's ASCII classes; None when it does not."""
    try:
        return re.compile(regex, re.ASCII)
    except (re.error, RecursionError, OverflowError):
        return None
