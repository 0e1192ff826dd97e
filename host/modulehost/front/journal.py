"""The host's own record of the metadata, for what the operator may not have kept.

The operator stores an operation's outcome only when the answer was a success, arrived, and was
not ``{}``. The journal keeps what each operation was sent and what came of it; when the next call
brings again what the last one was sent, that outcome was never kept, and it is given to the
plugin instead. It must outlive processes, not the node: nothing is synced to disk.
"""

from __future__ import annotations

import threading
from typing import Final, NamedTuple

import msgspec

from modulehost.front.journal_file import Slots
from modulehost.shared.errors import WrongModuleError
from modulehost.shared.metadata import Metadata, canonical
from modulehost.shared.records import Operation

FILE: Final = "journal"


class Record(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What the file holds; ``delivered`` is the slot's mark."""

    module: str | None = None
    entered: bool = False
    operation: str | None = None
    succeeded: bool = False
    sent: msgspec.Raw = msgspec.Raw(b"{}")
    outcome: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET  # as sent; Raw | None takes null only
    salvaged: str | None = None
    delivered: bool = False

    def outcome_text(self) -> bytes:
        """The outcome, as the plugin is given it."""
        if self.salvaged is not None:
            return self.salvaged.encode()
        return bytes(self.sent if self.outcome is msgspec.UNSET else self.outcome)

    def keep(self, metadata: bytes, *, plain: bool) -> None:
        """Set the outcome: JSON as it is, what is none (NaN, lone surrogates) as a string."""
        changed = plain and metadata != bytes(self.sent)
        self.outcome = msgspec.Raw(metadata) if changed else msgspec.UNSET
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
        self._slots = Slots(folder, FILE)
        self._record = Record()
        self._before = self._record
        self._running: str | None = None
        self._saved = 0  # the number of the last copy
        self._lock = threading.RLock()
        self._load()

    @property
    def problem(self) -> str | None:
        """Why the journal is kept in memory only; None when it is on disk."""
        return self._slots.problem and f"the journal is kept in memory only: {self._slots.problem}"

    @property
    def has_copies(self) -> bool:
        """Whether the operation that runs has sent some of what its hook has made."""
        return self._saved > 0

    @property
    def entered(self) -> bool:
        """Whether any hook was ever entered: there may be something to clean up."""
        return self._record.entered

    def admit(self, module: str | None) -> None:
        """Pin the module that the first operation is for; raises WrongModuleError for another."""
        with self._lock:
            if module is None or module == self._record.module:
                return
            self._refresh()
            if self._record.module not in (None, module):
                raise WrongModuleError(
                    f"this host serves the Service {self._record.module}, but the call is for the"
                    f" Service {module}: the cluster has mixed up two modules; delete and create"
                    " one of them again"
                )
            self._record.module = module

    def unpin(self) -> None:
        """The operation was not accepted: unless another one was, its module is not pinned."""
        with self._lock:
            if self._record.module is not None and not self._record.entered:
                self._record.module = None
                self._write()

    def begin(self, operation: Operation, turn: str, body: Metadata) -> Given:
        """Record what an operation was sent; returns what its hook gets. ``turn`` is its id."""
        with self._lock:
            self._refresh()
            last, sent = self._record, canonical(body)
            repeated = operation == last.operation and last.succeeded and last.delivered
            given = Given(sent, SENT)
            if last.operation is not None and sent != (outcome := last.outcome_text()):
                if sent != bytes(last.sent):  # a Raw equals nothing but a Raw
                    given = Given(sent, EDITED)
                elif not repeated:
                    given = Given(outcome, RESTORED)
            self._before = last
            self._running, self._saved = turn, 0
            self._record = Record(
                module=last.module, entered=True, operation=operation, sent=msgspec.Raw(sent)
            )
            restored = given.origin is RESTORED
            self._record.keep(given.metadata, plain=not (restored and last.salvaged is not None))
            self._write()
            return given

    def save(self, turn: str, number: int, metadata: bytes, *, plain: bool = True) -> None:
        """Keep what a running operation has made of the metadata so far; late copies are dropped.

        ``number`` grows with each copy of an operation, whichever way it comes. ``plain`` says that
        it is JSON, and not only what ``metadata.restore`` can read.
        """
        with self._lock:
            if turn != self._running or number <= self._saved:
                return
            self._saved = number
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
            self._record.delivered = True
            self._slots.mark()

    def revert(self) -> None:
        """Forget the operation that was begun: the plugin was not called."""
        with self._lock:
            self._running = None
            self._record = self._before
            self._write()
            if self._record.delivered:
                self._slots.mark()

    def clear(self) -> None:
        """Forget everything: the module is gone."""
        with self._lock:
            self._record = Record()
            self._write()

    def to_send(self) -> bytes:
        """What a person's call should send so that the plugin is given the last outcome.

        After a failure that is what was sent before: the outcome need not be JSON then, and that
        of an operation that still runs would be stale when its turn has come.
        """
        record = self._record
        return record.outcome_text() if record.succeeded else bytes(record.sent)

    def _refresh(self) -> None:
        """Read the file again when another front has written it since."""
        if self._slots.newer():
            self._load()

    def _load(self) -> None:
        text, marked = self._slots.read()
        try:
            self._record = _decoder.decode(text) if text else Record()
        except ValueError:
            self._record = Record()
        self._record.delivered = marked

    def _write(self) -> None:
        self._slots.write(_encoder.encode(self._record))
