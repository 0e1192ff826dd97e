"""The Modules of one folder, kept under ``.modulehost`` in it.

A Module has a folder of its own there: ``module.json`` is what the API server would hold, and
beside it are what its host needs. Only the owner may read it, since it holds the config.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec

from modulehost.local.errors import RefusedError
from modulehost.local.state import State

FOLDER: Final = ".modulehost"
_RUN: Final = "_"  # which no Module's name has


class Home:
    """The folder of one Module."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = path / "log"
        self.state = path / "state"
        self.config = path / "config"
        self._file = path / "module.json"

    @property
    def name(self) -> str:
        """The Module's name."""
        return self.path.name.removeprefix(_RUN)

    def read(self) -> State | None:
        """The Module, None when there is none. Raises RefusedError."""
        try:
            state = msgspec.json.decode(self._file.read_bytes(), type=State)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise RefusedError(f"{self._file} cannot be read: {error.strerror}") from None
        except (ValueError, RecursionError):
            raise RefusedError(
                f"{self._file} is not what was written there: remove {self.path}, after a look at"
                " what its host has left"
            ) from None
        state.settle()
        return state

    def write(self, state: State) -> None:
        """Keep the Module, whole or not at all. Raises RefusedError."""
        new = self._file.with_suffix(".new")
        try:
            with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:  # noqa: PTH123 - with a mode
                file.write(msgspec.json.format(msgspec.json.encode(state)))
            new.replace(self._file)
        except OSError as error:
            raise RefusedError(f"{self._file} cannot be written: {error.strerror}") from None

    def remove(self) -> None:
        """Forget the Module with all that its host had."""
        shutil.rmtree(self.path, ignore_errors=True)

    def empty(self) -> None:
        """Forget all, and be ready for another Module."""
        for path in self.path.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only command that changes this Module. Raises RefusedError."""
        try:
            self.path.mkdir(mode=0o700, exist_ok=True)
            folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise RefusedError(f"{self.path} cannot be used: {error.strerror}") from None
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RefusedError(
                f"{self.name}: another command is at work on it: wait until that is through, or"
                " stop it with Ctrl-C"
            ) from None
        else:
            try:
                yield
            finally:
                if not self._file.exists() and self.path.exists():
                    self.remove()  # nothing has come of it
        finally:
            os.close(folder)


class Store:
    """All Modules of a folder."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = (folder or Path()) / FOLDER

    @classmethod
    def around(cls, home: Home) -> Store:
        """That of a Module's folder."""
        found = next(path for path in home.path.absolute().parents if path.name == FOLDER)
        return cls(found.parent)

    def home(self, name: str) -> Home:
        """The folder of a Module, which need not be there."""
        return Home(self.folder / name)

    def home_of_run(self, name: str) -> Home:
        """The folder of a Module that lives for one command; no Module has a name like it."""
        return Home(self.folder / f"{_RUN}{name}")

    def prepare(self) -> None:
        """Make the folder, which no version control should see. Raises RefusedError."""
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            (self.folder / ".gitignore").write_text("*\n")
        except OSError as error:
            raise RefusedError(
                f"{self.folder} cannot be made: {error.strerror}; call this in a folder of yours"
            ) from None

    def names(self) -> list[str]:
        """The Modules that are there."""
        try:
            return sorted(path.parent.name for path in self.folder.glob("[a-z0-9]*/module.json"))
        except OSError:
            return []

    def states(self) -> list[State]:
        """Those of them that can be read."""
        found = []
        for name in self.names():
            with suppress(RefusedError):
                found += [state for state in [self.home(name).read()] if state]
        return found

    def find(self, name: str) -> tuple[Home, State]:
        """A Module that is there. Raises RefusedError."""
        home = self.home(name)
        state = home.read() if name in self.names() else None
        if state is None:
            there = ", ".join(self.names())
            cure = f"there are {there}" if there else "make one with modulehost local apply -f FILE"
            raise RefusedError(f"there is no Module {name} in {self.folder}: {cure}")
        return home, state

    @contextmanager
    def hold(self, name: str) -> Iterator[tuple[Home, State]]:
        """The same, for the only command that changes it. Raises RefusedError."""
        home, _ = self.find(name)
        with home.alone():
            yield self.find(name)
