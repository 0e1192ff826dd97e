"""The README says what is so: its examples are run, its tables are compared."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from modulehost.plugin.config import Schema
from modulehost_command import Commands, environment
from modulehost_command.declaration import Setting, read

from .command_module import Module

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def block(language: str, holds: str = "") -> str:
    """The first block of code in that language that holds the text."""
    blocks: list[str] = re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    return next(text for text in blocks if holds in text)


def rows(head: str) -> list[list[str]]:
    """The cells of the table that has this for its first head."""
    table = README[README.index(f"| {head} |") :].split("\n\n")[0]
    return [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in table.split("\n")[2:]
    ]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Module:
    """Return a module with the settings of the README."""
    made = Module(tmp_path, monkeypatch)
    (made.folder / "module.toml").write_text(block("toml"))
    made.config = {"name": "notes"}
    made.metadata = {"installed": "notes"}
    made.kubeconfig = "/forkspacer/workspace_kubeconfig"
    return made


def test_the_variables_are_those_of_the_table(module: Module) -> None:
    """No more, no less; settings and metadata by their examples."""
    module.program("install", 'env | cut -d= -f1 | grep -E "^(MODULE_|KUBECONFIG)" > "$OUT/names"')
    module.call("install")
    told = {
        re.sub(f"({environment.CONFIG})[a-z]+", r"\1<alias>",
               re.sub(f"({environment.METADATA})[a-z]+", r"\1<key>", name))
        for name in module.out("names").split()
    }  # fmt: skip
    assert told == {row[0].strip("`") for row in rows("variable")}


def test_standard_input_is_as_shown(module: Module) -> None:
    """The same keys."""
    module.program("install", 'cat > "$OUT/told"')
    module.call("install")
    shown = json.loads(block("json"))
    assert json.loads(module.out("told")).keys() == shown.keys()
    assert shown["kubeconfig"] == module.kubeconfig


def test_the_program_in_the_readme_works(module: Module) -> None:
    """Its metadata and its progress are taken."""
    script = block("sh").replace("/tmp/", "$OUT/made-")
    path = module.folder / "install"
    path.write_text(script)
    module.call("install")
    assert module.metadata == {"release": "notes"}
    assert (module.root / "made-notes").is_dir()
    subprocess.run(["sh", "-n", str(path)], check=True)


def test_the_types_are_those_of_the_table() -> None:
    """Each with what it takes."""
    common = set(Setting.__struct_fields__)
    takes = {
        str(cls.__struct_config__.tag): set(cls.__struct_fields__) - common
        for cls in Setting.__subclasses__()
    }
    told = {
        kind: set(re.findall("`(.*?)`", row[1] if len(row) > 1 else ""))
        for row in rows("type")
        for kind in re.findall("`(.*?)`", row[0])
    }
    assert told == takes
    told_of_all = re.search(r"\| type \| takes beside (.*) \|", README)
    assert told_of_all
    assert set(re.findall("`(.*?)`", told_of_all[1])) == common


def test_the_declaration_in_the_readme_is_one(module: Module) -> None:
    """With the permissions and deadlines that it shows."""
    declared = read(str(module.folder))
    assert declared is not None
    assert (declared.permissions, declared.deadlines) == (("workspace",), {"install": 1800})
    assert re.findall(r"^\[config\.(.*)\]$", block("toml"), re.MULTILINE) == [
        item.alias for item in Schema(declared.config).items
    ]


def test_the_definition_has_all_commands() -> None:
    """By their aliases, in their order."""
    aliases = re.findall(r"alias: (\w+Command)", README)
    assert aliases == [item.alias for item in Schema(Commands).items]
