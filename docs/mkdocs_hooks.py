"""What mkdocs does beside its own: commands from the code, documents from outside docs/.

The page of the commands says ``<!-- commands -->`` where these belong.
"""

from __future__ import annotations

import argparse
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from markdown.extensions import Extension

from modulehost import __version__
from modulehost.cli.parser import make_parser

ROOT: Final = Path(__file__).parents[1]

OUTSIDE: Final = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "deploy/README.md": "deploy.md",
    "plugins/command/README.md": "plugins/command.md",
    "plugins/example/README.md": "plugins/example.md",
}
"""Pages that are outside docs/, and their places in the site."""

_LINK: Final = re.compile(r"\[([^\]]*)\]\((?!\w+:)([^)#\s]+)(#[^)\s]*)?\)")
_CODE: Final = re.compile(r"<code>[^<]*</code>")
_OPTION: Final = re.compile(r"--[\w-]+")
_TEST: Final = re.compile(r"<code>((?:tests|plugins)/[^<]*::\w+)</code>")
_FETCHED: Final = re.compile(
    r"<(?:script|img|iframe|source|link)\b[^>]*\s(?:src|href)=[\"']?(?:https?:)?//[^>]*>"
)


class _TwoSpaces(Extension):  # type: ignore[misc] # markdown has no types
    """A list in a list is two spaces in, as on GitHub; Python-Markdown would have four."""

    def extendMarkdown(self, md: Any) -> None:  # noqa: N802 - Python-Markdown's name
        md.tab_length = 2
        md.build_parser()  # its processors know the length from when they are made


def on_config(config: Any) -> Any:
    """Tell the version, and read nested lists as they are written."""
    config.site_name = f"{config.site_name} {__version__}"
    config.markdown_extensions.insert(0, _TwoSpaces())  # the others add to its parser
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the pages from outside docs/, and the files there that a page links to."""
    from mkdocs.structure.files import File

    added = dict(OUTSIDE)
    for source in [*OUTSIDE, *(f"docs/{file.src_uri}" for file in files.documentation_pages())]:
        for _, target, _ in _LINK.findall((ROOT / source).read_text()):
            linked = _joined(source, target)
            if not linked.startswith("docs/") and (ROOT / linked).is_file():
                added.setdefault(linked, linked)
    for source, place in added.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Fill in what the code says, and have links lead to places in the site."""
    place = page.file.src_uri
    source = next((source for source, to in OUTSIDE.items() if to == place), f"docs/{place}")
    markdown = _LINK.sub(lambda link: _led(link, source, place), markdown)
    return markdown.replace("<!-- commands -->", "\n\n".join(commands()))


def on_page_content(html: str, **_: Any) -> str:
    """Have options stay whole at the end of a line, and names of tests break, which are long."""
    html = _CODE.sub(lambda code: _OPTION.sub(r'<span class="whole">\g<0></span>', code[0]), html)
    return _TEST.sub(_breakable, html)


def on_post_page(output: str, page: Any, **_: Any) -> None:
    """Refuse a page whose reader's browser would fetch something from elsewhere."""
    if found := _FETCHED.search(output):
        raise SystemExit(f"{page.file.src_uri} would have the browser fetch {found[0]}")


def _breakable(name: re.Match[str]) -> str:
    return '<code class="test">' + re.sub("::|[/_]", r"\g<0><wbr>", name[1]) + "</code>"


def _led(link: re.Match[str], source: str, place: str) -> str:
    """The link as it is from that place; the words alone when it is to a folder."""
    linked = _joined(source, link[2])
    if (ROOT / linked).is_dir():
        return link[1]
    to = OUTSIDE.get(linked, linked.removeprefix("docs/"))
    return f"[{link[1]}]({posixpath.relpath(to, posixpath.dirname(place) or '.')}{link[3] or ''})"


def _joined(source: str, target: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), target))


def commands(parser: argparse.ArgumentParser | None = None) -> Iterator[str]:
    """A section for each command that does something, with its arguments, as ``--help`` has it."""
    parser = parser or make_parser()
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from commands(command)
            return
    yield f"## {parser.prog}"
    usage = re.sub(r"^usage: ", "", _plain(parser.format_usage()))
    yield f"```text\n{usage}\n```"
    yield str(parser.description)
    rows = [
        f"| `{_name(action)}` | {_cell(action)} |"
        for action in parser._actions
        if action.help is not argparse.SUPPRESS and action.dest != "help"
    ]
    if rows:
        yield "\n".join(["| argument | |", "|---|---|", *rows])
    if parser.epilog and not parser.epilog.startswith("settings,"):  # which have their own page
        yield _plain(parser.epilog)


def _name(action: argparse.Action) -> str:
    """The argument as it is given: its option, and a word for each of its values."""
    values = "" if action.nargs == 0 else str(action.metavar or "|".join(action.choices or ()))
    if action.nargs in {"*", "+"}:
        values += " ..."
    return " ".join([*action.option_strings[:1], values]).strip() or action.dest


def _cell(action: argparse.Action) -> str:
    text = (action.help or "") % {"default": action.default, "prog": "modulehost"}
    return _plain(text).replace("|", "\\|")


def _plain(text: str) -> str:
    return " ".join(text.split())
