"""The host's own record of the metadata, for what the operator may not have kept.

The operator stores an operation's outcome only when the answer was a success, arrived, and was
not ``{}``. The journal keeps what each operation was sent and what came of it; when the next call
brings again what the last one was sent, that outcome was never kept, and it is given to the
plugin instead. It must outlive processes, not the node: nothing is synced to disk.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from modulehost.front.journal_file import Slots
from modulehost.shared.errors import HostError, RequestError
from modulehost.shared.metadata import canonical
from modulehost.shared.records import MetadataText, OperationName

FILE: Final = "journal"


class Entry(msgspec.Struct, array_like=True):
    """What the file holds, as MessagePack; ``delivered`` is the file's mark."""

    module: str | None = None
    entered: bool = False
    operation: str | None = None
    succeeded: bool = False
    sent: bytes = b"{}"
    outcome: MetadataText | None = None
    """None: as it was sent."""
    delivered: bool = False

    def keep(self, metadata: MetadataText) -> None:
        """Set the outcome."""
        self.outcome = None if metadata == MetadataText(self.sent) else metadata

    def left(self) -> MetadataText:
        """The outcome, as the plugin is given it."""
        return self.outcome or MetadataText(self.sent)


class Given(NamedTuple):
    """The metadata that an operation gets, and where it is from."""

    metadata: MetadataText
    origin: str


SENT: Final = "as sent"
RESTORED: Final = "restored from the journal: the operator did not keep the last outcome"
EDITED: Final = "as sent: changed since the last answer"

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Entry)


class Journal:
    """What is kept of the last operation, in memory and in a file of mode 0600.

    The methods are called by whoever holds the turn; ``save`` also by the thread that takes
    copies from the runner.
    """

    def __init__(self, folder: str) -> None:
        self._slots = Slots(folder, FILE)
        self._entry = Entry()
        self._before = self._entry
        self._running: str | None = None
        self._saved = 0  # the number of the last copy
        self._lock = threading.RLock()
        self.load()

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
        return self._entry.entered

    @property
    def has_module(self) -> bool:
        """Whether it is known which module this host is for."""
        return self._entry.module is not None

    def load(self) -> None:
        """Read the file; to be called again when another front may have written it since."""
        with self._lock:
            text, marked = self._slots.read()
            try:
                self._entry = _decoder.decode(text) if text else Entry()
            except (msgspec.MsgspecError, UnicodeDecodeError):
                self._entry = Entry()
            self._entry.delivered = marked

    def admit(self, module: str | None) -> None:
        """Pin the module that the first operation is for; raises HostError for another."""
        with self._lock:
            if module is None or module == self._entry.module:
                return
            if self._entry.module is not None:
                raise HostError(
                    f"this host serves the Service {self._entry.module}, but the call is for the"
                    f" Service {module}: the cluster has mixed up two modules; delete and create"
                    " one of them again"
                )
            self._entry.module = module

    def unpin(self) -> None:
        """The operation was not accepted: unless another one was, its module is not pinned."""
        with self._lock:
            if self._entry.module is not None and not self._entry.entered:
                self._entry.module = None
                self._write()

    def begin(self, operation: OperationName, turn: str, body: bytes) -> Given:
        """Record what an operation was sent; returns what its hook gets. ``turn`` is its id."""
        with self._lock:
            last, sent = self._entry, (body.strip() and body) or b"{}"
            given = _give(last, operation, sent)
            self._before, self._running, self._saved = last, turn, 0
            self._entry = Entry(module=last.module, entered=True, operation=operation, sent=sent)
            if given.origin is RESTORED:
                self._entry.keep(given.metadata)
            self._write()
            return given

    def save(self, turn: str, number: int, metadata: MetadataText) -> None:
        """Keep what a running operation has made of the metadata so far; late copies are dropped.

        ``number`` grows with each copy of an operation, whichever way it comes.
        """
        with self._lock:
            if turn == self._running and number > self._saved:
                self._saved = number
                self._entry.keep(metadata)
                self._write()

    def finish(self, metadata: MetadataText | None, *, succeeded: bool) -> None:
        """Record the outcome; None when it could not be read: what was saved last stays."""
        with self._lock:
            self._running = None
            self._entry.succeeded = succeeded
            if metadata is not None:
                self._entry.keep(metadata)
            self._write()

    def delivered(self) -> None:
        """The whole answer has gone into the socket."""
        with self._lock:
            self._entry.delivered = True
            self._slots.mark()

    def revert(self) -> None:
        """Forget the operation that was begun: the plugin was not called."""
        with self._lock:
            self._running = None
            self._entry = self._before
            for _ in range(2):  # in both files: what was refused is kept in neither
                self._write()
            if self._entry.delivered:
                self._slots.mark()

    def clear(self) -> None:
        """Forget everything: the module is gone."""
        with self._lock:
            self._entry = Entry()
            self._write()

    def to_send(self) -> bytes:
        """What a person's call should send so that the plugin is given the last outcome.

        After a failure that is what was sent before: the outcome need not be JSON then, and that
        of an operation that still runs would be stale when its turn has come.
        """
        entry = self._entry
        return entry.left().text if entry.succeeded else entry.sent

    def _write(self) -> None:
        self._slots.write(_encoder.encode(self._entry))


def _give(last: Entry, operation: OperationName, sent: bytes) -> Given:
    """What an operation gets that is sent this, after that last one."""
    outcome, as_sent = last.left(), Given(MetadataText(sent), SENT)
    if last.operation is None or sent == outcome.text:
        return as_sent
    is_kept = outcome.is_json and _canonical(sent) == outcome.text
    if sent != last.sent and _canonical(sent) != _canonical(last.sent):
        left_nothing = not last.succeeded and outcome.text in (last.sent, _canonical(last.sent))
        is_first = operation == "install" and left_nothing
        return as_sent if is_kept or is_first else Given(as_sent.metadata, EDITED)
    repeated = operation == last.operation and last.succeeded and last.delivered
    return as_sent if repeated or is_kept else Given(outcome, RESTORED)


@lru_cache(maxsize=2)  # of a call and of the one before
def _canonical(text: bytes) -> bytes:
    """What is no metadata is the same as nothing else; the runner refuses it."""
    try:
        return canonical(text)
    except RequestError:
        return text
