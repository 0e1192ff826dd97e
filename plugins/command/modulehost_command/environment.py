"""What a program is told: everything as JSON on its standard input, the same as variables."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from modulehost import Context

CONFIG: Final = "MODULE_CONFIG_"
METADATA: Final = "MODULE_METADATA_"

LONGEST: Final = 32 << 10
"""Bytes of a value in the environment; Linux takes 128 KiB a variable."""

LARGEST: Final = 256 << 10
"""Bytes of all of them together, so that the program can be started at all."""

_NAME: Final = re.compile("[A-Za-z_][A-Za-z0-9_]*")


def standard_input(
    ctx: Context[Any], config: Mapping[str, Any], metadata: Mapping[str, Any] | None
) -> str:
    """The JSON text."""
    told: dict[str, Any] = {
        "operation": ctx.operation,
        "requestId": ctx.request_id,
        "kubeconfig": ctx.kubeconfig,
        "config": config,
    }
    if metadata is not None:
        told["metadata"] = metadata
    return msgspec.json.encode(told).decode() + "\n"


def variables(
    ctx: Context[Any],
    config: Mapping[str, Any],
    metadata: Mapping[str, Any],
    files: Mapping[str, str],
) -> dict[str, str]:
    """The whole environment of a program; ``files`` are variables with paths."""
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith((CONFIG, METADATA))
    }
    room = LARGEST
    left_out = []
    for name, text in (*_texts(CONFIG, config), *_texts(METADATA, metadata)):
        size = len(name) + len(text.encode("utf-8", "replace")) + 10
        if size > min(LONGEST, room) or not _fits(text):
            left_out.append(name)
        else:
            room -= size
            environ[name] = text
    if left_out:
        ctx.log.warning(
            "not in the environment, but on standard input: values that are too long for it",
            variables=left_out[:20],
        )
    if ctx.kubeconfig is not None:
        environ["KUBECONFIG"] = ctx.kubeconfig
    environ["MODULE_OPERATION"] = ctx.operation
    environ["MODULE_REQUEST_ID"] = ctx.request_id
    environ["MODULE_DEADLINE_SECONDS"] = str(math.ceil(ctx.remaining()))
    return {**environ, **files}


def _texts(prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Text as it is, anything else as JSON; null is no variable."""
    for key, value in values.items():
        if value is not None and _NAME.fullmatch(key):
            yield (
                prefix + key,
                value if isinstance(value, str) else msgspec.json.encode(value).decode(),
            )


def _fits(text: str) -> bool:
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False
