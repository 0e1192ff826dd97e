"""A definition or a Module as text."""

from __future__ import annotations

import math
import re
from typing import Any, Final

from modulehost.shared.errors import one_line

_NO_TEXT_FOR_SOME: Final = re.compile(r"[-+]?\.?\d|[yn]$", re.IGNORECASE)


def to_yaml(document: dict[str, Any], comments: dict[str, str] | None = None) -> str:
    """The document in a form that any YAML reads the same way, Go's too. Needs PyYAML.

    ``comments`` stand above the items of the config, by alias.
    """
    import yaml

    class Dumper(yaml.SafeDumper):  # type: ignore[misc] # yaml has no types
        def ignore_aliases(self, data: object) -> bool:
            return True

    def represent(dumper: Any, text: str) -> Any:
        style = '"' if _NO_TEXT_FOR_SOME.match(text) or not text.isprintable() else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    Dumper.add_representer(str, represent)

    def dump(value: object) -> str:
        text: str = yaml.dump(
            value, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=math.inf
        )
        return text

    if not comments:
        return dump(document)
    lines = []
    for key, value in document.items():
        if key != "config":
            lines.append(dump({key: value}))
            continue
        lines.append("config:\n")
        for item in value:
            comment = comments.get(item["alias"])
            lines += [f"# {one_line(comment)}\n"] if comment else []
            lines.append(dump([item]))
    return "".join(lines)
