"""What the documentation tells its reader to type is typed, and does what it says.

The quick start takes an environment of its own: ``tests/packaging/test_quickstart.py``.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from support.pages import DOCUMENTS, REGISTER, Page, blocks
from support.venv import ROOT

HELLO = (
    "modulehost new hello",
    "cd hello",
    'sed -i "s:/tmp:$TMPDIR:" module.yaml hello/manager.py',
    REGISTER,
)
GIVEN = {
    "docs/local.md": HELLO,
    "docs/testing.md": (*HELLO, "MODULE_PLUGIN=hello modulehost serve"),
}
"""What a page takes for granted."""

SLOW = {"docs/testing.md"}


def pages() -> list[object]:
    """The documents that have something to run."""
    return [
        pytest.param(document, id=name, marks=[pytest.mark.slow] if name in SLOW else [])
        for document in DOCUMENTS
        if document.name != "quickstart.md"
        and any(b.mark is None and b.language in {"console", "python"} for b in blocks(document))
        for name in [str(document.relative_to(ROOT))]
    ]


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
@pytest.mark.parametrize("document", pages())
def test_what_a_page_tells_to_type_works(document: Path, tmp_path: Path) -> None:
    """Every block that does not say why not is run, in order; what is shown is what is printed."""
    name = str(document.relative_to(ROOT))
    settings = {"MODULE_PLUGIN": document.parent.name} if name.startswith("plugins/") else {}
    with Page(document, tmp_path, Path(sys.prefix), **settings) as page:
        page.given(*GIVEN.get(name, ()))
        page.run()


def test_what_differs_from_what_is_shown_fails(tmp_path: Path) -> None:
    """A wrong word, a wrong exit status: the place is named. Times and ports may differ."""
    for shown, line in (
        ("waits on port 1 for 2.0 s\n", "echo waits on port 22 for 3 s"),
        ("one\n...\n", "printf 'one\\ntwo\\n'"),
        ("", "true"),
    ):
        assert not _problem(tmp_path, line, shown)
    for shown, line in (("one\n", "echo two"), ("one\n", "true"), ("", "false"), ("", "exit 3")):
        assert line in _problem(tmp_path, line, shown)


def _problem(folder: Path, line: str, shown: str) -> str:
    document = folder / "page.md"
    document.write_text(f"```console\n$ {line}\n{shown}```\n")
    shutil.rmtree(folder / "sandbox", ignore_errors=True)
    try:
        with Page(document, folder / "sandbox", Path(sys.prefix)) as page:
            page.run()
    except AssertionError as error:
        return str(error)
    return ""
