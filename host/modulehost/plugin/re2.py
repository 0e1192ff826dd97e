"""What Go's regular expressions, which are RE2's, make of Python's."""

from __future__ import annotations

import re
from collections.abc import Iterator

from modulehost.shared.errors import one_line

# Python's regular expressions, cut into what matters here.
_TOKEN = re.compile(
    r"""
    (?P<escape> \\ (?: [0-7]{3} | N\{[^}]*\} | . ) )
  | (?P<set>    \[ \^? \]? (?: \\. | [^\]\\] )* \] )
  | (?P<group>  \( (?: \? (?: P[=<>] | <[=!] | [=!>(#:] | [a-zA-Z-]+ ) )? )
  | (?P<repeat> (?: [*+?] | \{ (?: \d+ ,? | , ) \d* \} ) [+?]? )
  | (?P<other>  . )
    """,
    re.VERBOSE | re.DOTALL,
)
_LARGEST_REPEAT = 1000
_NO_ESCAPES = {"Z": "write $", **dict.fromkeys("uUN", "write the character itself")}
_NO_GROUPS = {
    **dict.fromkeys(["(?=", "(?!", "(?<=", "(?<!"], "lookarounds"),
    "(?P=": "backreferences",
    "(?(": "conditions",
    "(?>": "atomic groups",
    "(?#": "comments",
}


def regex_warnings(pattern: str) -> list[str]:
    """What the operator, whose regular expressions are Go's, makes of one of Python's."""
    if lacks := not_re2(pattern):
        return [f"the operator cannot read its regex, for RE2 has no {lacks}"]
    if pattern and not _is_anchored(pattern):
        return [
            "its regex passes where a part of the value matches; for the whole, begin it with ^"
            " and end it with $"
        ]
    return []


def not_re2(pattern: str) -> str:
    """What is in it that RE2 does not have, "" when RE2 reads it. RE2 itself is asked, too, where
    the package google-re2 is installed.
    """
    return ", ".join(dict.fromkeys(_not_re2(pattern))) or _asked_of_re2(pattern)


def _asked_of_re2(pattern: str) -> str:
    try:
        import re2
    except ImportError:
        return ""
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(pattern, options)
    except re2.error as error:
        [words] = error.args
        return one_line(f"form for it: {words.decode()}")
    return ""


def _not_re2(pattern: str) -> Iterator[str]:
    """What RE2 does not have."""
    for token in _TOKEN.finditer(pattern):
        text = token[0]
        match token.lastgroup:
            case "escape":
                yield from _bad_escapes(text)
                if re.fullmatch(r"\\[1-9]", text):
                    yield "backreferences"
            case "set":
                for escape in re.findall(r"\\.", text, re.DOTALL):
                    yield from _bad_escapes(escape)
                    if escape == r"\b":
                        yield r"\b in sets (write \x08)"
            case "group":
                if text in _NO_GROUPS:
                    yield _NO_GROUPS[text]
                elif re.fullmatch(r"\(\?[a-zA-Z-]*[aLux][a-zA-Z-]*", text):
                    yield f"flags {text[2:]}"
            case "repeat":
                if text.startswith("{,"):
                    yield f"{text} (write {{0{text[1:]})"
                elif len(text) > 1 and text.endswith("+"):
                    yield "possessive repeats"
                elif any(int(number) > _LARGEST_REPEAT for number in re.findall(r"\d+", text)):
                    yield f"repeats beyond {_LARGEST_REPEAT}"


def _bad_escapes(text: str) -> Iterator[str]:
    if cure := _NO_ESCAPES.get(text[1]):
        yield f"\\{text[1]} ({cure})"


def _is_anchored(pattern: str) -> bool:
    """Whether each of the alternatives begins with ^ and ends with $."""
    branches: list[list[str]] = [[]]
    depth = 0
    for token in _TOKEN.finditer(re.sub(r"^\(\?[a-zA-Z]+\)", "", pattern)):
        text = token[0]
        if token.lastgroup == "group":
            depth += 1
        elif text == ")":
            depth -= 1
        elif text == "|" and depth == 0:
            branches.append([])
            continue
        branches[-1].append(text)
    return all(branch and branch[0] in ("^", r"\A") and branch[-1] == "$" for branch in branches)
