"""``modulehost new``: a plugin package to start from."""

from __future__ import annotations

import argparse
import keyword
import re
import shlex
import shutil
import string
import sys
from pathlib import Path

import modulehost
from modulehost.cli.said import fail

_SCAFFOLD = Path(modulehost.__file__).parent / "scaffold"
_SUFFIX = ".tmpl"
_PACKAGE = "package"  # what the folder of the package is called in the template
_NAME = re.compile("[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST = 63  # as a label of Kubernetes
_TAKEN = frozenset(
    ("modulehost", "tests", "true", "false", "null", "yes", "no", "on", "off", "y", "n")
)


class _Template(string.Template):
    """``@@{name}``: neither make, a shell nor Python has a use for that."""

    delimiter = "@@"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "name",
        metavar="NAME",
        help="what the plugin is called: lower-case letters, digits and hyphens",
    )
    parser.add_argument(
        "--path", metavar="DIR", type=Path, help="the folder to make (default: ./NAME)"
    )
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Write the files and say what comes next; 2 when they cannot be written."""
    name: str = given.name
    package = name.replace("-", "_")
    if problem := _name_problem(name, package):
        return fail(problem, 2)
    folder: Path = given.path or Path(name)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir()
    except FileExistsError as error:
        return fail(
            f"{error.filename} is there already: name another folder with --path, or remove it", 2
        )
    except OSError as error:
        return fail(
            f"{folder} cannot be made: {error.strerror}; name another folder with --path", 2
        )
    try:
        for path, text in files(name, package):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        return fail(f"{folder} cannot be written: {error.strerror}", 2)
    print(f"{folder} is there: a plugin that works. Next:\n")
    steps = {
        f"cd {shlex.quote(str(folder))}": "",
        "make test": "its tests; this installs it, too",
        "modulehost local run -f module.yaml": "its life, as the operator would have it",
        f"modulehost check {name}": "does it keep the contract?",
    }
    width = max(map(len, steps))
    for command, words in steps.items():
        print(f"  {command:{width}}  {words}".rstrip())
    print(f"\nThen make {package}/manager.py yours; README.md says how.")
    return 0


def files(name: str, package: str) -> list[tuple[Path, str]]:
    """What a plugin of that name consists of: paths and texts."""
    values = {"name": name, "package": package, "version": modulehost.__version__}
    found = []
    for source in sorted(_SCAFFOLD.rglob(f"*{_SUFFIX}")):
        path = str(source.relative_to(_SCAFFOLD)).removesuffix(_SUFFIX)
        first, slash, rest = path.partition("/")
        path = f"{package}{slash}{rest}" if first == _PACKAGE else path.replace("dot-", ".")
        text = _Template(source.read_text(encoding="utf-8")).substitute(values)
        found.append((Path(path), text))
    return found


def _name_problem(name: str, package: str) -> str | None:
    """Why a plugin cannot be called so, with what to do about it."""
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        better = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("0123456789-")[:_LONGEST].strip("-")
        cure = f"; how about {better}?" if _NAME.fullmatch(better) else ""
        return (
            f"{name!r} cannot name a plugin: it takes lower-case letters, digits and single"
            f" hyphens, a letter first, at most {_LONGEST} of them{cure}"
        )
    cure = f"; how about {name}-module?"
    if keyword.iskeyword(package):
        return f"{package} is a word of Python's, so nothing of this name can be imported{cure}"
    if package in sys.stdlib_module_names:
        return f"{package} is a module of Python's own, which a package would hide{cure}"
    if package in _TAKEN:
        return f"{package} has a meaning of its own, here or in YAML{cure}"
    from importlib.metadata import packages_distributions

    from modulehost.plugin import discovery

    ours = set()  # what an earlier plugin of this name has left installed
    for plugin in discovery.find():
        if plugin.package == name:
            ours.add(name)
        elif plugin.name == name:
            return f"there is a plugin {name} already, of {plugin.package}{cure}"
    for owner in packages_distributions().get(package, ()):
        if owner not in ours:
            return f"{package} is a package of {owner}, which is installed{cure}"
    return None
