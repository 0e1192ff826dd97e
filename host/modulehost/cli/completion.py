"""``modulehost completion``: the script by which a shell completes the command's words."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any, Final

from modulehost.cli.said import fail

_FUNCTIONS: Final = {
    "bash": """
_modulehost_plugins() {{
  compgen -W "$("${{COMP_WORDS[0]}}" plugins --names 2> /dev/null)" -- "$1"
}}

_modulehost_modules() {{
  compgen -W "$("${{COMP_WORDS[0]}}" local list --names 2> /dev/null)" -- "$1"
}}

_modulehost_checks() {{
  compgen -W "{checks}" -- "$1"
}}
""",
    "zsh": """
_modulehost_plugins() {{
  compadd -- $(modulehost plugins --names 2> /dev/null)
}}

_modulehost_modules() {{
  compadd -- $(modulehost local list --names 2> /dev/null)
}}

_modulehost_checks() {{
  compadd -- {checks}
}}
""",
    "fish": """
function _modulehost_plugins
  modulehost plugins --names 2> /dev/null
end

function _modulehost_modules
  modulehost local list --names 2> /dev/null
end

function _modulehost_checks
  string split ' ' '{checks}'
end
""",
}
"""What the script calls for words that only the moment knows, by shell."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("shell", choices=tuple(_FUNCTIONS), help="the shell that is to read it")
    parser.epilog = (
        'bash, in ~/.bashrc:  eval "$(modulehost completion bash)"\n'
        'zsh, in ~/.zshrc, below compinit:  eval "$(modulehost completion zsh)"\n'
        "fish, in ~/.config/fish/config.fish:  modulehost completion fish | source"
    )
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print the script; 1 when the package that writes it is not there."""
    if find_spec("shtab") is None:
        return fail("completion takes a package more: pip install 'modulehost[cli]'", 1)
    import shtab

    from modulehost.cli.parser import make_parser
    from modulehost.testing.contract import CHECKS

    plugins = _source("plugins")
    sources: dict[str, Any] = {  # by the name of an argument, or what stands for it in the help
        "plugin": plugins,
        "target": plugins,
        "module": _source("modules"),
        "ID": _source("checks"),
        "FILE": shtab.FILE,
        "DIR": shtab.DIRECTORY,
    }
    parser = make_parser()
    for action in _actions(parser):
        for name in (action.dest, action.metavar):
            if name in sources:
                action.complete = sources[name]
    checks = " ".join(check.id for check in CHECKS)
    functions = _FUNCTIONS[given.shell].format(checks=checks)
    print(shtab.complete(parser, given.shell, preamble=functions))
    return 0


def _source(what: str) -> dict[str, str]:
    """What offers the words, by shell; fish takes a command in its place."""
    name = f"_modulehost_{what}"
    return {"bash": name, "zsh": name, "fish": f"({name})"}


def _actions(parser: argparse.ArgumentParser) -> Iterator[Any]:
    """The arguments of a parser and of its subcommands."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
        else:
            yield action
