"""``ctx.store``: what is too large for the metadata and must outlive the pod, such as a dump.

What is written is a new object each time, in the ledger before its first byte and confirmed with
its size and SHA-256 after the last. So an older one stays until the new one is whole, and whatever
was half written is found again.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol

from modulehost.plugin.ledger import Created
from modulehost.shared.errors import ModuleError

if TYPE_CHECKING:
    from collections.abc import Buffer  # type: ignore[attr-defined]  # from 3.12 on

    from modulehost.plugin.context import Context

KIND: Final = "stored"
"""What an object is in the ledger; its ``details`` are ``name``, ``size`` and ``sha256``."""

_NAME: Final = re.compile(r"[A-Za-z0-9_][-._A-Za-z0-9]{0,99}")


class BackEnd(Protocol):
    """Where objects are. All of it raises ModuleError with what cannot be done and why."""

    def create(self, key: str) -> Any:
        """What the bytes of a new object are written to; closing it does not keep it."""

    def keep(self, key: str, file: Any) -> None:
        """It is whole: give it its name, on the disk."""

    def open(self, key: str) -> Any:
        """What an object is read from."""

    def delete(self, key: str) -> None:
        """Remove it, half written or whole; content when there is none."""


def back_end(setting: str | None, redact: Callable[[str], None]) -> BackEnd:
    """What MODULE_STORE names; raises ModuleError."""
    if setting is None:
        raise ModuleError(
            "no store is configured: set MODULE_STORE to a mounted volume or s3://BUCKET/PREFIX"
        )
    if setting.startswith("s3://"):
        from modulehost.plugin.store_bucket import Bucket

        return Bucket(setting, redact)
    from modulehost.plugin.store_folder import Folder

    return Folder(setting)


class Store:
    """What one module has stored. Names are letters, digits, ``.``, ``-`` and ``_``."""

    def __init__(self, ctx: Context[Any], back_end: BackEnd) -> None:
        self._ctx = ctx
        self._back_end = back_end

    @contextmanager
    def write(self, name: str) -> Iterator[io.RawIOBase]:
        """A binary file to write to; when the block ends well it takes the place of an older one.

        If the block raises, nothing is stored. Each write raises ``Cancelled`` when the operation
        should stop; ``ModuleError`` says what cannot be written.
        """
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name in the store: letters, digits, '.', '-' and '_'")
        before = self._named(name)
        key = f"{name}.{os.urandom(8).hex()}"
        with self._ctx.creating(KIND, key, name=name) as made:
            file = self._back_end.create(key)
            try:
                writer = _Writer(file, self._ctx.raise_if_cancelled)
                yield writer
                self._back_end.keep(key, file)
            except BaseException:
                file.close()
                try:
                    self._delete(made)
                except ModuleError:
                    pass  # it stays in the ledger; why it was not written is what counts
                raise
            made.details |= {"size": writer.size, "sha256": writer.sum.hexdigest()}
        for old in before:
            self._delete(old)

    @contextmanager
    def read(self, name: str) -> Iterator[io.RawIOBase]:
        """A binary file to read from.

        Its end is read only if all of it was what had been written; otherwise, and where there is
        none of that name, ``ModuleError`` is raised.
        """
        whole = [made for made in self._named(name) if made.confirmed]
        if not whole:
            raise ModuleError(f"there is no {name} in the store that was written whole")
        file = self._back_end.open(whole[0].name)
        try:
            yield _Reader(file, whole[0], self._ctx.raise_if_cancelled)
        finally:
            file.close()

    def names(self) -> list[str]:
        """What is there, written whole."""
        things = self._ctx.created(KIND)
        return sorted({str(made.details["name"]) for made in things if made.confirmed})

    def delete(self, name: str) -> None:
        """Remove what has this name, whole or not, from the store and from the ledger.

        It takes the name in the ledger as well, ``Created.name``; content when there is none.
        """
        for made in self._ctx.created(KIND):
            if name in (made.name, made.details.get("name")):
                self._delete(made)

    def _named(self, name: str) -> list[Created]:
        return [made for made in self._ctx.created(KIND) if made.details.get("name") == name]

    def _delete(self, made: Created) -> None:
        self._back_end.delete(made.name)
        self._ctx.removed(KIND, made.name)


class _Writer(io.RawIOBase):
    """Counts and sums up what goes through it."""

    def __init__(self, file: Any, look: Callable[[], None]) -> None:
        self._file, self._look = file, look
        self.size = 0
        self.sum = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer, /) -> int:
        self._look()
        view = memoryview(data).cast("B")
        self._file.write(view)
        self.sum.update(view)
        self.size += len(view)
        return len(view)


class _Reader(io.RawIOBase):
    """Compares what goes through it with what was written."""

    def __init__(self, file: Any, made: Created, look: Callable[[], None]) -> None:
        self._file, self._made, self._look = file, made, look
        self._size = 0
        self._sum = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        self._look()
        view = memoryview(buffer).cast("B")
        data = self._file.read(len(view))
        view[: len(data)] = data
        self._sum.update(data)
        self._size += len(data)
        if not len(data) and len(view):
            self._compare()
        return len(data)

    def _compare(self) -> None:
        written = self._made.details
        read = {"size": self._size, "sha256": self._sum.hexdigest()}
        if any(written.get(what) != value for what, value in read.items()):
            raise ModuleError(
                f"{self._made.name} in the store is not what was written: {self._size} bytes of"
                f" {written.get('size')}, with another checksum"
            )
