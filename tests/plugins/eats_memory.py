"""Takes memory until it gets no more, under an rlimit of its own."""

import resource
from pathlib import Path
from typing import Any

import beast

from modulehost import Context


class Manager(beast.Manager):
    """Runs out of memory."""

    def misbehave(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + (64 << 20), now + (64 << 20)))
        eaten = []
        while True:
            eaten.append(bytearray(1 << 20))
