"""The blocks of code in the documentation, and a shell in which a page's commands are run."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
import uuid
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from markdown_it import MarkdownIt

from support.host import free_port
from support.processes import wait_until, with_variable
from support.venv import PLUGINS, ROOT, clean_environ

DOCUMENTS = [
    ROOT / "README.md",
    *sorted(ROOT.glob("docs/*.md")),
    ROOT / "deploy/README.md",
    *(plugin / "README.md" for plugin in PLUGINS),
]

MARK = re.compile(r"<!-- (not run|e2e|test): (.+) -->")
"""What stands before a block that is not run here: why, or the test that runs it."""

_NAMED = re.compile(r"`([\w.]+)`(?: beside it)?:")
_VARIES = re.compile(
    r"\d{4}-\d\d-\d\dT[\d:]+Z|\d\d:\d\d:\d\d|\d+(\.\d+)? ?(s|ms)\b|(?<=port )\d+|(?<=process )\d+"
    r'|(?<="uptime":)[\d.]+|(?<=custom-manager-)\w{5}'
)
_ADDRESS = "localhost:8080"
_SERVES = re.compile(r"\bmake run$|\bmodulehost serve$")
_END = "the line has ended with"
_LONGEST = 300.0  # seconds for a line
_MARK = "TEST_MODULE_MARK"


class Block(NamedTuple):
    """A fenced block; ``file`` is what the words before it call it, ``mark`` why it is not run."""

    document: Path
    line: int
    language: str
    text: str
    file: str
    mark: re.Match[str] | None

    def __str__(self) -> str:
        return f"{os.path.relpath(self.document, ROOT)}:{self.line}"

    def commands(self) -> list[tuple[str, str]]:
        """Each line after a prompt, continued ones joined, and what is shown below it."""
        text = self.text.replace("\\\n", " ")
        return re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", text, re.MULTILINE)


def blocks(document: Path) -> list[Block]:
    """The blocks of a document."""
    tokens = MarkdownIt().parse(document.read_text())
    found = []
    for number, token in enumerate(tokens):
        if token.type != "fence":
            continue
        before = [one for one in tokens[max(0, number - 2) : number] if one.content]
        words = before[-1].content.strip() if before else ""
        named = _NAMED.fullmatch(words)
        found.append(
            Block(
                document,
                token.map[0] + 1 if token.map else 0,
                token.info,
                token.content,
                named[1] if named else "",
                MARK.fullmatch(words),
            )
        )
    return found


class Page:
    """Runs the blocks of a page in a folder that looks like the one which the page speaks of.

    That is the repository, or the plugin whose README it is, by links. ``/tmp`` and port 8080 are
    others here. Leaving it ends what it serves, and looks for what is left.
    """

    def __init__(self, document: Path, folder: Path, venv: Path, **settings: str) -> None:
        self.document = document
        self._port = free_port()
        self._mark = uuid.uuid4().hex
        self._temporary = folder / "tmp"
        self._temporary.mkdir(parents=True)
        self._plugin = folder / "plugin"  # of the page's files
        self._plugin.mkdir()
        self._log = folder / "host.log"
        self._errors = folder / "stderr"
        self._is_called = True
        here = folder / "here"
        (here / ".venv").mkdir(parents=True)
        _link(venv, here / ".venv", {".made"})
        (here / ".venv" / ".made").touch()  # so that make finds it as it is
        stands_in = ROOT if document.parent == ROOT / "docs" else document.parent
        _link(stands_in, here, {"build", ".git", ".venv"})
        ours = ("MAKE", "MFLAGS", "PYTEST")  # of the make and the pytest that run this
        inherited = {k: v for k, v in clean_environ().items() if not k.startswith(ours)}
        self._shell = _Shell(
            here,
            self._errors,
            inherited
            | {
                "PATH": f"{venv / 'bin'}:{os.environ['PATH']}",
                "PYTHONPATH": f"{here / 'hello'}:{self._plugin}",
                "PYTHONDONTWRITEBYTECODE": "1",
                "TMPDIR": str(self._temporary),
                "PORT": str(self._port),
                "MODULE_STATE_DIR": str(folder / "state"),
                "MODULE_CONFIG_DIR": str(folder / "config"),
                "MODULE_LOG_FORMAT": "json",
                "COLUMNS": "100",
                _MARK: self._mark,
            }
            | settings,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._stop_serving()
        finally:
            self._shell.close()
            left = with_variable(_MARK, self._mark)
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        assert error is not None or not left, f"left over: {left}"

    def run(self) -> None:
        """Run the blocks that have no mark, from top to bottom."""
        for block in blocks(self.document):
            if block.mark is None:
                self._run(block)

    def given(self, *lines: str) -> None:
        """Run lines that the page takes for granted."""
        for line in lines:
            self._run_line(line, "", f"given to {self.document.name}")

    def _run(self, block: Block) -> None:
        text = self._moved(block.text)
        place = str(block)
        if block.language == "console":
            for line, shown in block._replace(text=text).commands():
                self._run_line(line, shown, place)
        elif block.file:
            (self._plugin / block.file).write_text(text)
            if block.file == "pyproject.toml":
                self._run_line(f"(cd {self._plugin} && {REGISTER})", "", place)
        elif block.language == "python":
            is_test = re.search(r"^(def )?test_", text, re.MULTILINE)
            file = self._plugin / f"test_line_{block.line}.py"
            file.write_text(text)
            runner = "-m pytest -q -p no:cacheprovider --rootdir . " if is_test else ""
            self._run_line(f"python {runner}{file}", "", place)

    def _run_line(self, line: str, shown: str, place: str) -> None:
        self._is_called = self._is_called or f"localhost:{self._port}" in line
        line = re.sub(r"\s+# .*$", "", line)
        if _SERVES.search(line):
            self._serve(line)
            return
        status, printed = self._shell.run(line)
        told = f"{place}: $ {line}\n{printed}\n{self._errors.read_text()[-3000:]}"
        assert status == 0, told
        pattern = re.escape(plain(shown)).replace(re.escape("..."), "(?s:.*)")
        assert not shown or re.fullmatch(pattern, plain(printed)), told

    def _moved(self, text: str) -> str:
        """The text with places of our own."""
        text = text.replace(_ADDRESS, f"localhost:{self._port}")
        return re.sub(r"(?<![\w.])/tmp/", f"{self._temporary}/", text)

    def _serve(self, line: str) -> None:
        self._stop_serving()
        self._log.touch()
        self._shell.run(f"{line} > {self._log} 2>&1 &\nserved=$!")
        wait_until(lambda: '"listening"' in self._log.read_text(), f"{line}: it listens")
        self._is_called = False

    def _stop_serving(self) -> None:
        """Stop what is served; where no line of the page has called it, that is done now."""
        if not self._log.exists():
            return
        if not self._is_called:
            self.given(*(f"modulehost call {hook}" for hook in ("install", "sleep", "resume")))
            self.given("modulehost call uninstall")
        self._shell.run("kill $served; wait $served")
        log = self._log.read_text()
        assert '"stopped"' in log, log
        self._log.unlink()


REGISTER = 'python -c "import setuptools; setuptools.setup()" -q egg_info'
"""Writes the metadata by which the plugin in the current folder is found, as pip would."""


def _link(folder: Path, here: Path, but: set[str]) -> None:
    for path in folder.iterdir():
        if path.name not in but:
            (here / path.name).symlink_to(path)


def plain(text: str) -> str:
    """Without what differs from run to run, and without the widths of tables."""
    return "\n".join(" ".join(_VARIES.sub("…", line).split()) for line in text.splitlines())


class _Shell:
    """bash, line by line: its folder and its variables are there for the next line."""

    def __init__(self, folder: Path, errors: Path, environ: dict[str, str]) -> None:
        with errors.open("wb") as file:
            self._process = subprocess.Popen(
                ["bash", "--noprofile", "--norc"],
                cwd=folder,
                env=environ,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
                start_new_session=True,
            )

    def run(self, line: str) -> tuple[int, str]:
        """The exit status of a line, and what it has printed on standard output."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{{ {line}\n}} < /dev/null\nprintf '\\n{_END} %d\\n' $?\n")
        self._process.stdin.flush()
        printed = ""
        killer = threading.Timer(_LONGEST, self._kill)
        killer.start()
        try:
            for row in self._process.stdout:
                if row.startswith(_END):
                    return int(row.split()[-1]), printed.removesuffix("\n")
                printed += row
        finally:
            killer.cancel()
        raise AssertionError(f"the shell has ended, or was ended after {_LONGEST:g} s: {line}")

    def _kill(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """End it."""
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe
            pipe.close()
        self._process.wait()
