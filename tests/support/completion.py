"""What a shell is asked to complete, and where."""

from __future__ import annotations

import sys
from pathlib import Path

from modulehost.testing.contract import CHECKS
from support import site
from support.cli import run

BIN = Path(sys.executable).parent

WORDS = [
    (["pl"], {"plugins"}),
    (["call", ""], {"install", "uninstall", "sleep", "resume", "health"}),
    (["call", "--un"], {"--unless-asleep"}),
    (["definition", "--format", ""], {"custom", "module"}),
    (["definition", "go"], {"good"}),
    (["check", "wa"], {"waits"}),
    (["check", "good", "--only", "idle"], {"idle-connection"}),
    (["check", "good", "--skip", ""], {check.id for check in CHECKS}),
    (["check", "good", "--junit", "here"], {"here.xml"}),
    (["completion", ""], {"bash", "zsh", "fish"}),
    (["local", "describe", "mi"], {"mine"}),
    (["local", "hibernate", ""], {"mine", "other"}),
]
"""What was typed, and what the last word can become."""

IDS = [" ".join(words) for words, _ in WORDS]


def make_folder(folder: Path, shell: str) -> Path:
    """Where a person works: with the shell's script, plugins that do not load, Modules, a file."""
    for plugin in ("good", "waits"):
        site.write_metadata(folder, f"test-{plugin}", plugin, "nowhere")
    for module in ("mine", "other"):
        (folder / ".modulehost" / module).mkdir(parents=True)
        (folder / ".modulehost" / module / "module.json").touch()
    (folder / "here.xml").touch()
    result = run("completion", shell)
    assert (result.returncode, result.stderr) == (0, "")
    (folder / f"script.{shell}").write_text(result.stdout)
    return folder


def environ(folder: Path) -> dict[str, str]:
    """The command is found on the PATH, and its plugins in the folder."""
    return {"PATH": f"{BIN}:/usr/bin:/bin", "PYTHONPATH": str(folder), "HOME": str(folder)}
