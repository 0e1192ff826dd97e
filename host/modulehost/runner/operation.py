"""The operation that runs: its metadata, what its hook is given and asks for, copies of it."""

from __future__ import annotations

import os
import threading
from itertools import count
from typing import TYPE_CHECKING, Any

from modulehost.plugin.cancellation import Cancellation
from modulehost.plugin.context import Context
from modulehost.runner.module import Module
from modulehost.shared import metadata
from modulehost.shared.channel import Channel
from modulehost.shared.describe import text_of
from modulehost.shared.errors import MetadataError, ModuleError, one_line
from modulehost.shared.records import (
    MOST_KEPT,
    Call,
    Checkpoint,
    MetadataText,
    Progress,
    Saved,
    Snapshot,
)
from modulehost.shared.salvage import plain_copy, salvage_within
from modulehost.shared.unauthorized import is_unauthorized

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

_LONGEST_PROGRESS = 200  # characters


class Operation:
    """A call whose hook may be called. It is what the hook's Context asks of the host."""

    def __init__(self, module: Module, call: Call, calls: Channel, control: Channel) -> None:
        """Reads the config; raises ConfigError."""
        self.call = call
        self.metadata = metadata.restore(call.metadata)
        self.config = module.read_config(self.metadata)
        self.cancellation = Cancellation()
        self.settings = module.settings
        self.grace = module.settings.grace
        self.redactor = module.redactor
        self.redact = module.redact
        # nobody keeps what an uninstall leaves, and one that is refused leaks what is left
        is_last = call.operation == "uninstall"
        self._limit = MOST_KEPT if is_last else module.settings.max_metadata
        self.is_unauthorized = False
        self._module = module
        self._calls = calls
        self._control = control
        self._pid = os.getpid()
        self._ended = False
        self._checkpointing = threading.Lock()
        self._looking = threading.Lock()  # a number is in the order of looking
        self._numbers = count(1)
        self._sent = call.metadata

    def context(self) -> Context[Any]:
        """What the hook is given. Kept here, it would make a cycle, which keeps the metadata."""
        return Context(
            operation=self.call.operation,
            request_id=self.call.request_id,
            config=self.config,
            kubeconfig=self._module.kubeconfig(),
            deadline=self.call.deadline,
            cancellation=self.cancellation,
            host=self,
        )

    def bring_up_metadata(self) -> None:
        """Have it in the plugin's version; raises what a migration does, and ModuleError."""
        from modulehost.plugin import versions  # not every plugin has them

        plugin = self._module.plugin
        config = [] if plugin.schema is None else [item.alias for item in plugin.schema.items]
        before, after = versions.version_of(self.metadata), plugin.metadata_version
        self.metadata, migrated = versions.brought_up(
            self.metadata, after, plugin.migrations, config
        )
        if migrated:
            self.event("info", "metadata brought up", before=before, after=after)

    def end(self) -> None:
        """The hook has ended: what a thread that it has left behind still asks for is refused."""
        with self._checkpointing:
            self._ended = True
        self.cancellation.close()

    def log(self) -> FilteringBoundLogger:
        """The hook's own logger."""
        return self._module.logger(self.call.operation, self.call.request_id)

    def program_failed(self, output: str) -> None:
        """Whether that was for credentials that the cluster refuses."""
        self.is_unauthorized |= is_unauthorized(output)

    def event(self, level: str, event: str, **values: object) -> None:
        """Log a line of the host's about this operation."""
        about = self._module.about(self.call.operation, self.call.request_id)
        self._module.log.event(level, event, **about, **values)

    def progress(self, text: str) -> None:
        """Pass on how far the operation is."""
        line = one_line(self.redactor.text(text_of(text)), _LONGEST_PROGRESS)
        self.event("info", "progress", progress=line)
        if self._is_ours():
            self._control.send(Progress(self.call.id, line))

    def checkpoint(self) -> None:
        """Have the metadata journaled; the hook's thread waits for it."""
        name = self.call.operation
        if not self._is_ours():
            raise ModuleError(f"checkpoint: this process was forked by {name}; call it in that one")
        with self._checkpointing:
            if self._ended:
                raise ModuleError(f"checkpoint: {name} has ended")
            with self._looking:
                number = next(self._numbers)
                text = self._to_keep()
            self._calls.send(Checkpoint(self.call.id, number, text))
            while self._calls.receive() != Saved(self.call.id, number):
                pass  # for one whose wait was broken off by an exception

    def _to_keep(self) -> MetadataText:
        """What a checkpoint sends; raises ModuleError.

        Nobody stores what an uninstall leaves: there it is whatever the journal can hold.
        """
        try:
            return self.as_json()
        except MetadataError as error:
            if self.call.operation == "uninstall" and (text := self.salvaged()[0]) is not None:
                return text
            raise ModuleError(f"checkpoint: {error}") from None

    def as_json(self) -> MetadataText:
        """The metadata as the operator could keep it; raises MetadataError."""
        try:
            return MetadataText(metadata.encode(self.metadata, self._limit))
        except MetadataError:
            raise
        except BaseException:  # noqa: BLE001 - of a class of the plugin's
            return MetadataText(metadata.encode(plain_copy(self.metadata), self._limit))

    def salvaged(self) -> tuple[MetadataText | None, list[str]]:
        """The metadata as whole as the journal can hold it, and what is left out for that."""
        text, dropped = salvage_within(self.metadata, MOST_KEPT)
        if dropped:
            self.event("warning", "metadata is too large for the journal", dropped=dropped)
        return None if text is None else MetadataText(text, is_json=False), dropped

    def snapshot(self) -> None:
        """Send a copy of the metadata when it has changed; not while it is in motion."""
        if not self._looking.acquire(blocking=False):
            return  # a checkpoint is being made
        try:
            number = next(self._numbers)
            text = MetadataText(metadata.copy(self.metadata))
        except BaseException:  # noqa: BLE001 - the hook is changing it, or it is no JSON yet
            return
        finally:
            self._looking.release()
        if text != self._sent and len(text.text) <= MOST_KEPT and not self._ended:
            self._sent = text
            self._control.send(Snapshot(self.call.id, number, text))

    def send_copy(self, text: MetadataText | None) -> None:
        """Send the metadata as its hook has left it, when it has changed."""
        if text is not None and text != self._sent:
            self._sent = text
            self._control.send(Snapshot(self.call.id, next(self._numbers), text))

    def _is_ours(self) -> bool:
        return os.getpid() == self._pid
