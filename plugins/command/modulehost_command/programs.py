"""Which program stands for an operation, and why it cannot be run."""

from __future__ import annotations

import errno
import os
from typing import Final, NamedTuple

REQUIRED: Final = ("install", "uninstall", "sleep", "resume")

_SHELL: Final = ("/bin/sh", "-e", "-c")  # -e: of several commands the first that fails ends it


class Program(NamedTuple):
    """What is run for an operation: a command of the config, or an executable of the folder."""

    operation: str
    folder: str
    command: str = ""

    @property
    def path(self) -> str:
        """Where the executable is, or should be."""
        return f"{self.folder}/{self.operation}"

    @property
    def argv(self) -> tuple[str, ...]:
        """What to execute."""
        return (*_SHELL, self.command) if self.command else (self.path,)

    @property
    def cwd(self) -> str:
        """Where it runs: beside the files that were shipped with it."""
        return self.folder if os.path.isdir(self.folder) else "/"

    @property
    def is_there(self) -> bool:
        """Whether somebody has provided it, be it good or bad."""
        return bool(self.command) or os.path.lexists(self.path)

    def problem(self) -> str | None:
        """Why it cannot be run, with the cure; None when nothing is wrong with it."""
        if self.command:
            return None
        if not os.path.isdir(self.folder):
            return (
                f"{self.folder}, the folder of the programs, is missing; set COMMAND_DIR to where"
                " they are, or give commands in the config: installCommand and so on"
            )
        try:
            with open(self.path, "rb") as file:
                head = file.read(256)
        except FileNotFoundError:
            there = ", ".join(sorted(os.listdir(self.folder))[:20]) or "nothing"
            return (
                f"{self.path} is missing; {self.folder} must hold the executables"
                f" {', '.join(REQUIRED)}; there: {there}"
            )
        except IsADirectoryError:
            return f"{self.path} is a folder, not a program"
        except OSError as error:
            head = b""  # a program that may be run but not read
            if error.errno != errno.EACCES:
                return f"{self.path}: {error.strerror}"
        if not os.access(self.path, os.X_OK):
            return f"{self.path} is not executable; chmod +x it (Dockerfile: COPY --chmod=755)"
        return self._shebang_problem(head)

    def _shebang_problem(self, head: bytes) -> str | None:
        """What is wrong with the first line of a script."""
        if not head.startswith(b"#!"):
            if head.startswith(b"\x7fELF") or not head:
                return None
            return (
                f"{self.path} is neither a script that begins with #! nor a program; put"
                " #!/bin/sh, or what else it is for, into its first line"
            )
        line = head[2:].split(b"\n")[0]
        if line.endswith(b"\r"):
            return f"{self.path} has Windows line ends (CR LF); save it with LF alone"
        interpreter = os.fsdecode(line.split()[0]) if line.split() else ""
        if os.access(interpreter, os.X_OK):
            return None
        return (
            f"{self.path} begins with #!{interpreter}, which is not in this image; install it or"
            " name another interpreter"
        )

    def explain(self, error: OSError) -> str:
        """Why it could not be started although ``problem`` found nothing."""
        reason = f"{self.argv[0]} cannot be run: {error.strerror}"
        if error.errno == errno.ENOEXEC:
            return f"{reason}; it is built for another machine than this, {os.uname().machine}"
        if error.errno == errno.ENOENT:
            return (
                f"{reason}; what it was linked against is not in this image, link it statically"
                " (Go: CGO_ENABLED=0) or build it on the same base"
            )
        return reason
