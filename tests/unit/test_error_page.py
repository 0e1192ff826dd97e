"""docs/errors.md has all that the host and its commands say of what is wrong, and nothing else."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from modulehost.local.errors import RefusedError
from modulehost.shared import errors

ROOT = Path(__file__).parents[2]
CODE = ROOT / "host/modulehost"
ROOMS = ("", "cli/", "front/", "keeper/", "local/", "plugin/", "runner/", "shared/")
FILES = [file for room in ROOMS for file in CODE.glob(f"{room}*.py")]
FILES += [CODE / "testing/contract.py", CODE / "testing/kill_check.py", CODE / "testing/wire.py"]
NATIVE = (ROOT / "host/native").glob("*.c")

SPEAKERS = {
    *(
        name
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.HostError | errors.ModuleError)
    ),
    RefusedError.__name__,
    "MigrationError",
    *("ArgumentTypeError", "Done", "Report", "Response"),
    *("_fail", "fail", "failed", "note", "refuse", "serve_reason"),
}
"""Whose last argument of text is for a person."""

TELLERS = {
    "front/app": {"_too_large"},
    "cli/check": {"_notes"},
    "cli/new": {"_name_problem"},
    "plugin/config": {"problems", "_meant"},
    "plugin/definition": {"_module_warnings", "_read_values"},
    "plugin/re2": {"regex_warnings"},
    "plugin/versions": {"problems"},
    "plugin/validation": {"hook_problems", "_signature_problems", "extra_problems"},
    "front/journal": {"problem"},
    "local/life": {"_why_not_stored"},
    "local/reading": {"_no_json"},
    "front/health": {"_without_answer"},
    "front/operations": {"_death"},
    "front/outcomes": {"judge"},
    "keeper/child": {"run"},
    "keeper/listening": {"given"},
    "keeper/serve": {"port_from"},
    "testing/contract": {"unknown"},
    "testing/kill_check": {"named"},
    "testing/wire": {"__init__"},
}
"""Functions that return, yield or raise as ValueError what somebody else says."""

HEADS = {"the reason says", "the message says", "the event", "it says", "who", "---"}


def text_of(node: ast.expr | None) -> str:
    """The text, with ``…`` for what differs."""
    match node:
        case ast.Constant(value=str(value)):
            return value
        case ast.JoinedStr(values=values):
            return "".join(map(text_of, values))
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            return text_of(left) + text_of(right)
        case ast.Call(func=ast.Name(id="one_line"), args=[inner, *_]):
            return text_of(inner)
    return "…"


def plain(text: str) -> str:
    """Without the thing that it begins with, and without what differs twice in a row."""
    text = re.sub("…+", "…", text.replace("%s", "…"))
    text = re.sub(r"^modulehost: |^(…: )+", "", " ".join(text.split()))
    return re.sub(r"…: …$", "…", text)


def _name(node: ast.expr) -> str:
    return getattr(node, "id", "") or getattr(node, "attr", "")


def _parts(node: ast.expr | None) -> list[ast.expr]:
    match node:
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            return parts
        case ast.ListComp(elt=part):
            return [part]
        case ast.BoolOp(values=parts):
            return parts
    return [node] if node is not None else []


def _spoken(node: ast.AST, *, by_teller: bool) -> list[ast.expr]:
    """What a node says to a person, if it does."""
    match node:
        case ast.Call(func=func, args=args, keywords=keywords):
            name = _name(func)
            whose = _name(func.value) if isinstance(func, ast.Attribute) else ""
            level = args[0].value if args and isinstance(args[0], ast.Constant) else ""
            if name in SPEAKERS:
                refused = [k.value for k in keywords if k.arg == "refused"]
                return refused + args[:2]
            if name == "Answer":
                return [k.value for k in keywords if k.arg == "refused"]
            if name == "append" and whose in {"problems", "told", "warnings"}:
                return args
            if name in {"event", "log", "_line"} and level in {"warning", "error"}:
                return args[1:2]
            if (name in {"warning", "error"} and whose in {"log", "_log"}) or (
                name == "write" and whose == "stderr"
            ):
                return args[:1]
            if name == "print" and any(k.arg == "file" for k in keywords):
                return args[:1]
        case ast.Assign(targets=[ast.Subscript(slice=ast.Name(id="SETTINGS_PROBLEM"))]):
            return [node.value]
        case ast.Return() | ast.Yield() if by_teller:
            return _parts(node.value)
        case ast.Raise(exc=ast.Call(func=ast.Name(id="ValueError"), args=args)) if by_teller:
            return args
    return []


def messages() -> Iterator[str]:
    """What is said in the code; a variable stands for all that it was set to in its function."""
    for file in FILES:
        tellers = TELLERS.get(str(file.relative_to(CODE).with_suffix("")), set())
        for function in ast.walk(ast.parse(file.read_text())):
            if not isinstance(function, ast.FunctionDef):
                continue
            values: dict[str, list[ast.expr]] = {}
            for node in ast.walk(function):
                match node:
                    case ast.Assign(targets=[ast.Name(id=name)], value=value):
                        values.setdefault(name, []).append(value)
                    case ast.AugAssign(target=ast.Name(id=name), value=value) if name in values:
                        before = values[name][-1]
                        values[name].append(ast.BinOp(before, ast.Add(), value))
            for node in ast.walk(function):
                for said in _spoken(node, by_teller=function.name in tellers):
                    for one in values.get(_name(said), [said]):
                        text = plain(text_of(one))
                        if len(re.findall("[a-z]{2,}", text)) > 1:  # else it only joins others
                            yield text


def rows() -> list[list[str]]:
    """The cells of each row of the page's tables."""
    lines = (ROOT / "docs/errors.md").read_text().splitlines()
    found = [
        [
            cell.strip().replace("`metadata[", "metadata[").replace("]`", "]")
            for cell in line.split("|")[1:-1]
        ]
        for line in lines
        if "|" in line
    ]
    heads = [number for number, row in enumerate(found) if row[0] in HEADS]
    assert heads
    told = [row for row in found if row[0] not in HEADS]
    return [row for row in told if len(row) < 3 or not row[1].startswith("[")]


def _says(message: str, row: str) -> bool:
    """Whether the row is that message, perhaps with one of the words that differ in it."""
    return re.fullmatch(re.escape(message).replace("…", ".+"), row) is not None


def test_every_message_is_on_the_page_with_its_cure() -> None:
    """Whatever is said anew fails here until somebody has written what to do about it."""
    told = {plain(row[0]) for row in rows()}
    said = set(messages())
    assert len(said) > 120
    assert sorted(m for m in said - told if not any(_says(m, row) for row in told)) == []
    assert [row for row in rows() if not row[-1]] == []


def test_the_page_has_no_message_that_nobody_says() -> None:
    """Each row is a message, or a text of the code that no rule above takes for one."""
    said = set(messages())
    texts = {
        plain(text_of(node))
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant | ast.JoinedStr)
    }
    for file in NATIVE:
        literals = re.findall(r'"((?:[^"\\]|\\.)*)"', file.read_text())
        texts |= {plain(text.replace("\\n", "").replace("%s", "…")) for text in literals}
    told = {plain(row[0]) for row in rows()} - said - texts
    assert sorted(row for row in told if not any(_says(m, row) for m in said)) == []
