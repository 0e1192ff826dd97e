"""The host's own record of the metadata, for what the operator may not have kept.

The operator stores an operation's outcome only when the answer was a success, arrived, and was
not ``{}``. The journal keeps what each operation was sent and what came of it; when the next call
brings again what the last one was sent, that outcome was never kept, and it is given to the
plugin instead. It must outlive processes, not the node: files are replaced in one step and never
synced to disk.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from modulehost.errors import WrongModuleError
from modulehost.metadata import Metadata, canonical
from modulehost.protocol import Operation

FILE: Final = "journal.json"
_DELIVERED_AT: Final = len('{"delivered":')  # where record() puts the digit


class Record(msgspec.Struct, kw_only=True):
    """What the file holds. ``delivered`` is first, so that it can be set in place."""

    delivered: int = 0
    module: str | None = None
    entered: bool = False
    operation: str | None = None
    succeeded: bool = False
    sent: msgspec.Raw = msgspec.Raw(b"{}")
    outcome: msgspec.Raw = msgspec.Raw(b"{}")
    salvaged: str | None = None

    def outcome_text(self) -> bytes:
        """The outcome, as the plugin is given it."""
        return bytes(self.outcome) if self.salvaged is None else self.salvaged.encode()

    def keep(self, metadata: bytes, *, plain: bool) -> None:
        """Set the outcome: JSON as it is, what is none (NaN, lone surrogates) as a string."""
        self.outcome = msgspec.Raw(metadata if plain else b"{}")
        self.salvaged = None if plain else metadata.decode()


class Given(NamedTuple):
    """The metadata that an operation gets, and where it is from."""

    metadata: bytes
    origin: str


SENT: Final = "as sent"
RESTORED: Final = "restored from the journal: the operator did not keep the last outcome"
EDITED: Final = "as sent: changed since the last answer"

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Record)


class Journal:
    """The record of the last operation, in memory and in a file of mode 0600.

    The methods are called by whoever holds the turn; ``save`` also by the thread that takes
    copies from the runner.
    """

    def __init__(self, folder: str) -> None:
        self._path = Path(folder, FILE)
        self._record = Record()
        self._before = self._record
        self._file = -1
        self._running: str | None = None
        self._lock = threading.RLock()
        self.problem: str | None = None
        self._load()

    def _make_folder(self) -> None:
        """Make the folder; refuse one that somebody else could fill with files of theirs."""
        folder = self._path.parent
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_uid not in (0, os.geteuid()):
            raise PermissionError(0, "its folder belongs to somebody else")

    @property
    def entered(self) -> bool:
        """Whether any hook was ever entered: there may be something to clean up."""
        return self._record.entered

    def admit(self, module: str | None) -> None:
        """Pin the module that the first operation is for; raises WrongModuleError for another."""
        with self._lock:
            self._refresh()
            if module is None or module == self._record.module:
                return
            if self._record.module is not None:
                raise WrongModuleError(
                    f"this host serves the module {self._record.module}, but the call is for"
                    f" {module}: the cluster has mixed up two modules; delete and create one of"
                    " them again"
                )
            self._record.module = module

    def begin(self, operation: Operation, request_id: str, body: Metadata) -> Given:
        """Record what an operation was sent; returns what its hook gets."""
        with self._lock:
            self._refresh()
            last, sent = self._record, canonical(body)
            repeated = operation == last.operation and last.succeeded and last.delivered
            given = Given(sent, SENT)
            if last.operation is not None:
                outcome = last.outcome_text()
                if sent == last.sent:
                    if not repeated and sent != outcome:
                        given = Given(outcome, RESTORED)
                elif sent != outcome:
                    given = Given(sent, EDITED)
            self._before = last
            self._running = request_id
            self._record = Record(
                module=last.module, entered=True, operation=operation, sent=msgspec.Raw(sent)
            )
            restored = given.origin is RESTORED
            self._record.keep(given.metadata, plain=not (restored and last.salvaged is not None))
            self._write()
            return given

    def save(self, request_id: str, metadata: bytes, *, plain: bool = True) -> None:
        """Keep what a running operation has made of the metadata so far; late copies are dropped.

        ``plain`` says that it is JSON, and not only what ``metadata.restore`` can read.
        """
        with self._lock:
            if request_id != self._running:
                return
            self._record.keep(metadata, plain=plain)
            self._write()

    def finish(self, metadata: bytes | None, *, plain: bool = True, succeeded: bool) -> None:
        """Record the outcome; None when it could not be read: what was saved last stays."""
        with self._lock:
            self._running = None
            self._record.succeeded = succeeded
            if metadata is not None:
                self._record.keep(metadata, plain=plain)
            self._write()

    def delivered(self) -> None:
        """The whole answer has gone into the socket."""
        with self._lock:
            self._record.delivered = 1
            if self._file >= 0:
                try:
                    os.pwrite(self._file, b"1", _DELIVERED_AT)
                except OSError as error:
                    self._fail(error)

    def revert(self) -> None:
        """Forget the operation that was begun: the plugin was not called."""
        with self._lock:
            self._running = None
            self._record = self._before
            self._write()

    def clear(self) -> None:
        """Forget everything: the module is gone."""
        with self._lock:
            self._record = Record()
            self._close()
            try:
                self._path.unlink(missing_ok=True)
            except OSError as error:
                self._fail(error)

    def outcome(self) -> bytes:
        """What the next call should send when the operator kept the last outcome."""
        return self._record.outcome_text()

    def _refresh(self) -> None:
        """Read the file again when another front has written it since."""
        if self._file >= 0 and os.fstat(self._file).st_nlink == 0:
            self._close()
            self._record = Record()
            self._load()

    def _load(self) -> None:
        try:
            self._make_folder()
            descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return
        except OSError as error:
            self._fail(error)
            return
        try:
            if os.fstat(descriptor).st_uid != os.geteuid():
                raise PermissionError(0, "it belongs to somebody else")
            with os.fdopen(os.dup(descriptor), "rb") as file:
                self._record = _decoder.decode(file.read())
        except (OSError, ValueError) as error:
            self._fail(error)
            os.close(descriptor)
        else:
            self._file = descriptor

    def _write(self) -> None:
        text = _encoder.encode(self._record)
        new = f"{self._path}.new"
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(new, flags, 0o600)
            try:
                os.write(descriptor, text)
                os.replace(new, self._path)  # noqa: PTH105 - a third of the time
            except OSError:
                os.close(descriptor)
                raise
        except OSError as error:
            self._fail(error)
            return
        self._close()
        self._file, self.problem = descriptor, None

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _fail(self, error: Exception) -> None:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        self.problem = f"the journal {self._path} is kept in memory only: {reason}"
