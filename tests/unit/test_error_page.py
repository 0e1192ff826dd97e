"""docs/errors.md has every reason that the host gives, and no others."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from modulehost import errors

ROOT = Path(__file__).parents[2]
MODULES = ["app", "attendant", "config", "journal", "metadata", "supervisor", "turns"]
"""Where the host raises; ``discovery`` has a table in docs/plugins.md."""

RAISED = {
    name
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.HostError)
}


def reasons() -> Iterator[str]:
    """The text of each HostError that is raised with one, with ``…`` for what differs."""
    for module in MODULES:
        for node in ast.walk(ast.parse((ROOT / f"host/modulehost/{module}.py").read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in RAISED:
                text = node.args[0]
                if isinstance(text, ast.Constant):
                    yield str(text.value)
                elif isinstance(text, ast.JoinedStr):
                    yield "".join(
                        str(part.value) if isinstance(part, ast.Constant) else "…"
                        for part in text.values
                    )


def rows() -> list[list[str]]:
    """The cells of each row of the page's tables."""
    lines = (ROOT / "docs/errors.md").read_text().splitlines()
    found = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if "|" in line]
    return [row for row in found if row[0] not in {"the reason says", "---"}]


def plain(reason: str) -> str:
    """Without what differs from place to place at its ends."""
    return re.sub(r"\s+", " ", reason).strip()


def test_every_reason_is_on_the_page_with_its_cure() -> None:
    """Whatever is raised anew fails here until somebody has said what to do about it."""
    told = {plain(row[0]) for row in rows()}
    assert len(set(reasons())) > 20
    assert {plain(reason) for reason in reasons()} - {*told, "config: …: …"} == set()
    assert all(len(row) == 3 and row[2] for row in rows())


def test_the_page_has_no_reason_that_nobody_gives() -> None:
    """The words of each row are in the code."""
    code = " ".join(
        "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
        if isinstance(node, ast.JoinedStr)
        else str(node.value)
        for path in (ROOT / "host/modulehost").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.JoinedStr | ast.Constant)
    )
    assert [row[0] for row in rows() if row[0] not in code and row[0] != "config: …"] == []
