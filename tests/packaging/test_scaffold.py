"""``modulehost new``: what it makes works as it is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from support import site
from support.cli import run
from support.venv import ROOT, Environment, Once, clean_environ

pytestmark = pytest.mark.slow


FILES = {
    ".gitignore",
    "Dockerfile",
    "Makefile",
    "README.md",
    "module.yaml",
    "my_hello/__init__.py",
    "my_hello/manager.py",
    "my_hello/py.typed",
    "pyproject.toml",
    "setup.cfg",
    "tests/test_contract.py",
    "tests/test_life.py",
    "tests/test_module.py",
}


class Made(NamedTuple):
    """The plugin ``my-hello``, and an environment with modulehost in it."""

    folder: Path
    environment: Environment

    def make(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """``make`` in the plugin's folder, for the Python of the environment."""
        return make(self.folder, f"PYTHON={self.environment.python}", *arguments)


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """``make`` in that folder, far from what the tests themselves run in."""
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=folder,
        env=clean_environ(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="session")
def made(installed: Environment, once: Once) -> Made:
    """Made by the command that is installed, and installed by its own Makefile."""

    def make(folder: Path) -> None:
        environment = installed.beside(folder / "environment")
        environment.install(Path("pip"), Path("pytest"), Path("PyYAML"), Path("jsonschema"))
        result = environment.run("-m", "modulehost", "new", "my-hello", cwd=folder)
        assert (result.returncode, result.stderr) == (0, "")
        assert result.stdout.startswith("my-hello is there: a plugin that works. Next:\n\n  cd my-")
        result = Made(folder / "my-hello", environment).make("install")
        assert result.returncode == 0, result.stdout + result.stderr

    folder = once("scaffold", make)
    return Made(folder / "my-hello", Environment(folder / "environment"))


def new(folder: Path, name: str = "my-hello") -> Path:
    """A plugin made in a folder of this test."""
    result = run("new", name, "--path", str(folder / "made"))
    assert (result.returncode, result.stderr) == (0, "")
    return folder / "made"


def refusal(*arguments: str) -> str:
    """The one line that a refusal prints."""
    result = run("new", *arguments)
    assert (result.returncode, result.stdout) == (2, "")
    [line] = result.stderr.splitlines()
    return line.removeprefix("modulehost: ")


def test_these_files_are_made(installed: Environment, tmp_path: Path) -> None:
    """By the command as it is installed: all of them, no others, and no placeholder is left."""
    result = installed.run("-m", "modulehost", "new", "my-hello", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    folder = tmp_path / "my-hello"
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {str(path.relative_to(folder)) for path in files} == FILES
    assert not [path for path in files if "@@" in path.read_text()]
    assert not [path for path in files if path.stat().st_mode & 0o111]


@pytest.mark.parametrize("name", ["my-hello", "x" * 63, "a"])
def test_its_form_is_good(tmp_path: Path, name: str) -> None:
    """Whatever it is called: by its own rules and by those of this repository."""
    folder = new(tmp_path, name)
    rules = ROOT / "pyproject.toml"
    ours = ("--config", str(rules), "--config", "lint.isort.known-third-party=['modulehost']")
    for arguments in (
        ("check", "."),
        ("check", *ours, "--ignore", "PTH,S", "."),
        ("format", "--check", "."),
    ):
        command = [sys.executable, "-m", "ruff", *arguments, "--no-cache"]
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr


def test_its_types_are_good(tmp_path: Path) -> None:
    """mypy finds nothing, strict as the plugin's own pyproject.toml has it."""
    folder = new(tmp_path)
    assert "strict = true" in (folder / "pyproject.toml").read_text()
    command = [sys.executable, "-m", "mypy"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert "no issues found in 5 source files" in result.stdout


def test_it_passes_its_own_tests(made: Made) -> None:
    """``make test``: a life under the operator's rules, and every check of the contract."""
    result = made.make("test", "ARGS=-p no:cacheprovider")
    assert result.returncode == 0, result.stdout + result.stderr
    summary = result.stdout.splitlines()[-1]
    passed = re.search(r"(\d+) passed", summary)
    assert passed, summary
    assert int(passed[1]) > 40
    assert "failed" not in summary


def test_it_is_served(made: Made, tmp_path: Path) -> None:
    """By a real host, beside another plugin, through a whole life."""
    folder = tmp_path / "files"
    config = {"copies": 2, "folder": str(folder)}
    metadata: Any = {}
    counts = []
    settings = {"MODULE_PLUGIN": "my-hello"}
    with made.environment.host(tmp_path / "host", config=config, **settings) as host:
        for operation, status in (("install", 201), ("sleep", 200), ("resume", 200)):
            reply = host.call(operation, metadata)
            assert reply.status == status, reply.text
            metadata = reply.json
            counts.append(len([*folder.iterdir()]))
        assert host.health().json["healthy"] is True
        assert host.call("uninstall", metadata).status == 204
    assert counts == [2, 0, 2]
    assert not folder.exists()


def test_its_module_is_the_one_that_its_schema_makes(made: Made) -> None:
    """``make definition`` writes what is there already."""
    before = (made.folder / "module.yaml").read_text()
    result = made.make("definition")
    assert (result.returncode, result.stderr) == (0, "")
    assert (made.folder / "module.yaml").read_text() == before


def test_its_module_lives_on_ones_own_machine(made: Made, tmp_path: Path) -> None:
    """``modulehost local run`` prints what ``docs/local.md`` shows of it."""
    files = tmp_path / "files"
    given = ("--config", "copies=3", f"folder={files}")
    path = str(made.folder / "module.yaml")
    command = ("-m", "modulehost", "local", "run", "-f", path, *given)
    result = made.environment.run(*command, cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    document = (ROOT / "docs/local.md").read_text()
    [shown] = re.findall(
        r"^\$ modulehost local run -f module.yaml --config copies=3\n(.*?)^```",
        document,
        re.S | re.M,
    )
    assert without_times(result.stdout.replace("my-hello", "hello")) == without_times(shown)
    assert not files.exists()


def without_times(text: str) -> list[list[str]]:
    """The words of each line, but for the times."""
    text = re.sub(r"\d\d:\d\d:\d\d|\d+\.\d+ s|\d+ ms", "TIME", text)
    return [line.split() for line in text.splitlines()]


def test_its_readme_names_what_there_is(tmp_path: Path) -> None:
    """Every target of make, and the files that it sends its reader to."""
    folder = new(tmp_path)
    text = (folder / "README.md").read_text()
    targets = re.findall(r"^(\w+)  ", make(folder).stdout, re.MULTILINE)
    assert "test" in targets
    assert set(re.findall(r"\$ make (\w+)", text)) <= set(targets)
    named = re.findall(r"`([\w/]+\.\w+|Dockerfile)`", text)
    made_by_the_author = {"values.yaml", "spec.config"}
    missing = {name for name in named if not (folder / name).exists()}
    assert missing - made_by_the_author == set()


def test_make_says_where_modulehost_is_missing(tmp_path: Path) -> None:
    """One line with the cure, before anything is installed anywhere."""
    result = make(new(tmp_path), "test", "PYTHON=false")
    assert result.returncode == 2
    assert result.stderr.splitlines()[0] == (
        "modulehost is not there for false: activate the environment that has it, or call make with"
        " PYTHON=..."
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("My_Hello", "how about my-hello?"),
        ("1st-hello", "how about st-hello?"),
        ("my--hello", "how about my-hello?"),
        ("hello-", "how about hello?"),
        ("../hello", "how about hello?"),
        ("my hello", "how about my-hello?"),
        ("h\u00e4user", "how about h-user?"),
        ("", "it takes lower-case letters, digits and single hyphens"),
        ("\u20ac", "it takes lower-case letters, digits and single hyphens"),
        ("x" * 64, "at most 63"),
        ("class", "class is a word of Python's, so nothing of this name can be imported"),
        ("json", "json is a module of Python's own, which a package would hide"),
        ("modulehost", "modulehost has a meaning of its own"),
        ("tests", "tests has a meaning of its own"),
        ("no", "no has a meaning of its own, here or in YAML; how about no-module?"),
        ("msgspec", "msgspec is a package of msgspec, which is installed"),
        ("flask", "flask is a package of Flask, which is installed"),
        ("example", "there is a plugin example already, of modulehost-example"),
    ],
)
def test_a_bad_name_is_refused_with_a_better_one(tmp_path: Path, name: str, words: str) -> None:
    """In one line; nothing is made."""
    folder = tmp_path / "made"
    assert words in refusal(name, "--path", str(folder))
    assert not folder.exists()


def test_a_plugin_that_was_made_before_is_no_obstacle(tmp_path: Path) -> None:
    """One of the same name, installed as its own package: somebody starts again."""
    site.write_metadata(tmp_path, "my-hello", "my-hello", "my_hello")
    (tmp_path / "my_hello.py").touch()
    result = run("new", "my-hello", "--path", str(tmp_path / "made"), PYTHONPATH=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_what_is_there_is_left_alone(tmp_path: Path, kind: str) -> None:
    """An empty folder, a file, a link to nowhere: none is written into or replaced."""
    path = tmp_path / "made"
    if kind == "folder":
        path.mkdir()
    elif kind == "file":
        path.write_text("mine")
    else:
        path.symlink_to("nowhere")
    assert refusal("my-hello", "--path", str(path)) == (
        f"{path} is there already: name another folder with --path, or remove it"
    )
    assert [*tmp_path.iterdir()] == [path]
    assert not path.is_dir() or not [*path.iterdir()]


def test_folders_on_the_way_are_made(tmp_path: Path) -> None:
    """As far as they are missing; where that cannot be, one line says so."""
    new(tmp_path / "a" / "b")
    (tmp_path / "file").touch()
    reason = refusal("my-hello", "--path", str(tmp_path / "file" / "a" / "b"))
    assert "cannot be made: Not a directory; name another folder with --path" in reason


def test_half_a_plugin_is_not_left_behind(tmp_path: Path) -> None:
    """When the disk is full, played here by a limit for the size of files."""
    command = f"ulimit -f 1; exec {sys.executable} -m modulehost new my-hello --path made"
    result = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "modulehost: made cannot be written: File too large\n"
    assert not [*tmp_path.iterdir()]
