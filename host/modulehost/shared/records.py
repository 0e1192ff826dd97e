"""The records between front and runner.

``calls``    synchronous: the front sends a Call, the runner's main thread answers Done; in between
             it may send Checkpoint, answered by Saved.
``control``  asynchronous: the front sends Cancel, AskHealth and SecretsKnown, the runner the rest.

``channel.py`` carries them. What is told of an operation names it by its ``id``: a word that comes
late, or from another, is dropped.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

import msgspec

LOST: Final = 113
"""Exit status of a runner whose connection has ended while it lived."""

NOT_BEGUN: Final = 114
"""Exit status of a runner that must not go on: it has not begun the call that it may have got."""

MOST_KEPT: Final = 16 << 20
"""Bytes of metadata that the journal keeps at most: many times what an annotation can hold."""

OperationName = Literal["install", "uninstall", "sleep", "resume"]
OPERATIONS: Final[tuple[OperationName, ...]] = get_args(OperationName)

Kind = Literal["succeeded", "unkept", "failed", "cancelled", "refused"]
"""How an operation ends. ``unkept``: the hook succeeded, but the operator cannot keep the metadata
that it left; ``refused``: the hook was not called."""


class Record(msgspec.Struct, tag=True, array_like=True):
    """The base of all records."""


class MetadataText(msgspec.Struct, array_like=True, frozen=True):
    """Metadata as text; what is no JSON (NaN, lone surrogates) only ``metadata.restore`` reads."""

    text: bytes
    is_json: bool = True


class Call(Record):
    """Run a hook. ``deadline`` is in seconds from now.

    ``id`` is what all that is told of the operation names; ``request_id`` is for the log.
    """

    id: str
    operation: OperationName
    request_id: str
    metadata: MetadataText
    deadline: float


class Done(Record):
    """The operation has ended; ``metadata`` is as it was left, and None when it is not known.

    ``is_spent``: the process should not be given another, although no hook has failed in it.
    ``is_unauthorized``: it has failed, and a cluster has answered it 401.
    """

    id: str
    kind: Kind
    reason: str = ""
    metadata: MetadataText | None = None
    is_spent: bool = False
    is_unauthorized: bool = False


class Checkpoint(Record):
    """Keep this metadata now; the hook waits for Saved.

    ``number`` is in the order in which an operation's metadata was looked at, snapshots included.
    """

    id: str
    number: int
    metadata: MetadataText


class Saved(Record):
    """The checkpoint of that number is in the journal."""

    id: str
    number: int


class Loaded(Record):
    """The plugin is ready: its entry point, its distribution, and the deadlines it wishes for."""

    plugin: str
    package: str
    version: str
    deadlines: dict[str, float]
    has_health: bool


class LoadFailed(Record):
    """The plugin cannot be used; the runner ends."""

    reason: str


class Snapshot(Record):
    """The metadata of the running operation has changed.

    ``number`` is as in Checkpoint.
    """

    id: str
    number: int
    metadata: MetadataText


class Progress(Record):
    """How far the running operation is, in the plugin's words."""

    id: str
    text: str


class Cancel(Record):
    """Ask the running operation to stop."""

    id: str
    reason: str


class AskHealth(Record):
    """Run the health hook."""

    number: int


class Health(Record):
    """What the health hook said to the question of that number."""

    number: int
    healthy: bool
    message: str


class KnowSecrets(Record):
    """Show none of these in any line from now on; the runner waits for SecretsKnown.

    The front sends it to a new runner, with what former ones have told.
    """

    number: int
    secrets: list[str]


class SecretsKnown(Record):
    """The front has heard the secrets of that number, and of those before."""

    number: int


AnyRecord = (
    Call
    | Done
    | Checkpoint
    | Saved
    | Loaded
    | LoadFailed
    | Snapshot
    | Progress
    | Cancel
    | AskHealth
    | Health
    | KnowSecrets
    | SecretsKnown
)
