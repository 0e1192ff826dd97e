"""How results of checks look: a line each, as JSON, as JUnit XML."""

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import quoteattr

import msgspec

from modulehost.cli.said import note
from modulehost.cli.terminal import console, width

if TYPE_CHECKING:
    from modulehost.testing.checks import Result

_MARKS: Final = {"passed": "ok", "failed": "FAILED", "skipped": "skipped"}
_STYLES: Final = {"passed": "green", "failed": "bold red", "skipped": "yellow"}
_WIDEST: Final = 22  # of the ids, and the space after them


class Report:
    """Prints each result as it comes, and a summary in the end."""

    def __init__(self, target: str, *, live: bool = True) -> None:
        self.results: list[Result] = []
        self._target = target
        self._live = live
        self._told: set[str] = set()
        self._console = console() if live else None
        self._out = sys.stdout if live else sys.stderr

    @property
    def made(self) -> list[Result]:
        """The checks that were made."""
        return [result for result in self.results if result.outcome != "skipped"]

    @property
    def failed(self) -> list[Result]:
        """Those that have failed."""
        return [result for result in self.results if result.outcome == "failed"]

    @property
    def is_good(self) -> bool:
        """Whether some were made, and all of those have passed."""
        return bool(self.made) and not self.failed

    def add(self, result: Result) -> None:
        """Take a result, and print its line: the rule, or under it why it is not kept."""
        self.results.append(result)
        if not self._live:
            return
        check = result.check
        mark = _MARKS[result.outcome]
        self._print(f"{mark:8}", _STYLES[result.outcome], f"{check.id:{_WIDEST}}{check.says}")
        if result.reason:
            is_known = result.outcome == "skipped" and result.reason in self._told
            for line in ["as above"] if is_known else self._wrap(result.reason):
                self._print(" " * 10, "", line, dim=result.outcome == "skipped")
            self._told.add(result.reason)
        if result.outcome == "failed":
            self._print(" " * 10, "", f"source: {check.source}", dim=True)

    def end(self, notes: list[str]) -> None:
        """Print the summary and what else there is to say."""
        counts = dict.fromkeys(_MARKS, 0)
        for result in self.results:
            counts[result.outcome] += 1
        words = [f"{number} {outcome}" for outcome, number in counts.items() if number]
        seconds = sum(result.seconds for result in self.results)
        if self._live:
            style = "green" if self.is_good else "bold red"
            verdict = "keeps the contract" if self.is_good else "does not keep the contract"
            if not self.made:
                verdict = "was not checked"
            print(file=self._out)
            told = f" in {seconds:.1f} s: {', '.join(words) or 'no checks'}"
            self._print(f"{self._target} {verdict}", style, told)
        for text in notes:
            note(text)

    def _wrap(self, text: str) -> list[str]:
        """The text as lines; only one where nobody looks at it."""
        if not sys.stdout.isatty():
            return [text]
        return textwrap.wrap(text, max(40, width() - 10), break_on_hyphens=False)

    def _print(self, first: str, style: str, rest: str, *, dim: bool = False) -> None:
        if self._console is None:
            print(f"{first}{rest}".rstrip(), file=self._out, flush=True)
            return
        from rich.text import Text

        line = Text.assemble((first, style), (rest, "dim" if dim else ""))
        self._console.print(line, soft_wrap=True)


def to_json(target: str, results: list[Result]) -> str:
    """The results as a JSON object."""
    rows = [
        {
            "id": result.check.id,
            "says": result.check.says,
            "source": result.check.source,
            "outcome": result.outcome,
            "reason": result.reason,
            "seconds": round(result.seconds, 3),
        }
        for result in results
    ]
    passed = any(r.outcome == "passed" for r in results)
    good = passed and not any(r.outcome == "failed" for r in results)
    text = msgspec.json.encode({"target": target, "passed": good, "checks": rows})
    return msgspec.json.format(text).decode()


def to_junit(target: str, results: list[Result]) -> str:
    """The results as JUnit XML, as CI servers read it."""
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        f"<testsuites><testsuite name={_quoted(f'modulehost check {target}')}"
        f' tests="{len(results)}" errors="0"'
        f' failures="{sum(r.outcome == "failed" for r in results)}"'
        f' skipped="{sum(r.outcome == "skipped" for r in results)}"'
        f' time="{sum(r.seconds for r in results):.3f}">',
    ]
    for result in results:
        check = result.check
        lines.append(
            f'<testcase classname="modulehost.check" name={_quoted(check.id)}'
            f' time="{result.seconds:.3f}">'
        )
        if result.outcome == "failed":
            about = f"{check.says} ({check.source})"
            lines.append(f"<failure message={_quoted(result.reason)} type={_quoted(about)}/>")
        elif result.outcome == "skipped":
            lines.append(f"<skipped message={_quoted(result.reason)}/>")
        lines.append("</testcase>")
    lines.append("</testsuite></testsuites>")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return quoteattr("".join(c if c.isprintable() else "\ufffd" for c in text))
