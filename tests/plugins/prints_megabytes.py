"""Prints MEGABYTES: lines, lines without an end, bytes that are no text."""

import os
import sys
from typing import Any

import beast

from modulehost import Context


class Manager(beast.Manager):
    """Talks a lot."""

    def misbehave(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        beast.tell("misbehaving", os.getpid())
        for _ in range(int(os.environ.get("MEGABYTES", "20"))):
            print("a line of forty-eight characters, newline included\n" * (1 << 13), flush=True)
            sys.stderr.write("x" * (1 << 19))
            os.write(2, b"\xff\xfe\x00\n" * (1 << 12))
        print("the last word", flush=True)
