"""What a module has made: journaled before it is made and confirmed after, until it is removed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgspec

from modulehost.plugin.hooks import KEY
from modulehost.shared.describe import type_name
from modulehost.shared.errors import ModuleError

FIELD: Final = "created"
"""Where in ``metadata[KEY]`` the list of things is, the oldest first."""

_CHANGING: Final = threading.Lock()  # threads of one hook


class Created(msgspec.Struct, omit_defaults=True):
    """A thing that a module has made, or was about to make when its process ended.

    ``confirmed`` is whether its making has ended well: what is not may be there, whole, half or
    not at all. ``details`` are JSON values that the plugin has noted with it.
    """

    kind: str
    name: str
    confirmed: bool = False
    details: dict[str, Any] = {}

    def __str__(self) -> str:
        return f"{self.kind} {self.name}" + ("" if self.confirmed else " (unconfirmed)")


class _Kept(msgspec.Struct):
    created: list[Created] = []


class Ledger:
    """The things in the metadata of one operation; ``checkpoint`` has it journaled."""

    def __init__(self, metadata: dict[str, Any], checkpoint: Callable[[], None]) -> None:
        self._metadata = metadata
        self._checkpoint = checkpoint

    def created(self) -> list[Created]:
        """What is there or may be, the newest first; raises ModuleError when it is not ours."""
        return self._read()[::-1]

    @contextmanager
    def creating(self, kind: str, name: str, details: dict[str, Any]) -> Iterator[Created]:
        """Note a thing, have the block make it, and confirm it.

        What was confirmed before stays so, and where it was, whatever the block does.
        """
        for what in (kind, name):
            if not isinstance(what, str) or not what:
                raise TypeError(f"creating takes text for kind and name, not {type_name(what)}")
        there = [made for made in self._read() if (made.kind, made.name) == (kind, name)]
        thing = there[0] if there else Created(kind, name)
        thing.details = {**thing.details, **details}
        self._put(thing)
        yield thing
        thing.confirmed = True
        self._put(thing)

    def removed(self, kind: str, name: str) -> None:
        """Forget a thing; content when it is not known."""
        self._change(
            lambda things: [made for made in things if (made.kind, made.name) != (kind, name)]
        )

    def _put(self, thing: Created) -> None:
        def put(things: list[Created]) -> list[Created]:
            for number, made in enumerate(things):
                if (made.kind, made.name) == (thing.kind, thing.name):
                    things[number] = thing
                    return things
            return [*things, thing]

        self._change(put)

    def _change(self, change: Callable[[list[Created]], list[Created]]) -> None:
        """Write what has changed, and keep it; nothing when nothing has."""
        with _CHANGING:
            before = self._read()
            after = change([*before])
            if after == before:
                return
            # what else is under the key stays; another object, for whoever copies it meanwhile
            kept = {name: value for name, value in self._kept().items() if name != FIELD}
            if after:
                kept[FIELD] = msgspec.to_builtins(after)
            if kept:
                self._metadata[KEY] = kept
            else:
                del self._metadata[KEY]
        self._checkpoint()

    def _kept(self) -> dict[str, Any]:
        kept = self._metadata.get(KEY, {})
        return kept if isinstance(kept, dict) else {}

    def _read(self) -> list[Created]:
        try:
            return msgspec.convert(self._metadata.get(KEY, {}), _Kept).created
        except msgspec.ValidationError as error:
            raise ModuleError(
                f'metadata["{KEY}"] is not as the host left it ({error}): send the last answer'
            ) from None


def left(metadata: dict[str, Any]) -> list[str]:
    """The things that are still in there, in words; never raises."""
    try:
        return [str(made) for made in Ledger(metadata, lambda: None).created()]
    except Exception:  # noqa: BLE001 - whatever the plugin has made of it
        return []
