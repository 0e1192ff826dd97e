"""What a terminal shows: through rich where there is one and a person looks, else plain text."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from modulehost.shared.errors import one_line


def console() -> Any:
    """rich's, on a terminal; None for plain text."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR") or find_spec("rich") is None:
        return None
    from rich.console import Console

    return Console(highlight=False)


def width() -> int:
    """Columns that lines of text may take."""
    return min(shutil.get_terminal_size().columns, 120)


Cell = str | tuple[str, str]
"""A text, or one with rich's style for it."""


class Screen:
    """Prints lines and tables on standard output."""

    def __init__(self) -> None:
        self._console = console()

    def line(self, *cells: Cell) -> None:
        """Print a line of these parts."""
        parts = [cell if isinstance(cell, tuple) else (cell, "") for cell in cells]
        if self._console is None:
            print("".join(text for text, _ in parts).rstrip(), flush=True)
            return
        from rich.text import Text

        self._console.print(Text.assemble(*parts), soft_wrap=True)

    def table(self, head: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
        """Print a table, its columns as wide as they must be."""
        if self._console is not None:
            self._print_rich(head, rows)
            return
        texts = [[*head], *([_text(cell) for cell in row] for row in rows)]
        widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
        for line in texts:
            print("  ".join(map(str.ljust, line, widths)).rstrip(), flush=True)

    def _print_rich(self, head: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
        from rich.table import Table
        from rich.text import Text

        table = Table(*head, box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for row in rows:
            styles = [cell[1] if isinstance(cell, tuple) else "" for cell in row]
            table.add_row(*(Text(_text(c), s) for c, s in zip(row, styles, strict=True)))
        self._console.print(table)


def _text(cell: Cell) -> str:
    return one_line(cell[0] if isinstance(cell, tuple) else cell)
