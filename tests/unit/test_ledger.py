"""The ledger: when it is kept, what it refuses, and that it disturbs nothing else."""

from __future__ import annotations

import threading
from copy import deepcopy
from typing import Any

import pytest

from modulehost import Created, ModuleError
from modulehost.plugin.hooks import KEY
from modulehost.plugin.ledger import Ledger, left


class Kept:
    """Metadata, and each state of it that was kept."""

    def __init__(self, metadata: dict[str, Any] | None = None) -> None:
        self.metadata = {} if metadata is None else metadata
        self.states: list[list[str]] = []
        self.ledger = Ledger(self.metadata, self._keep)

    def _keep(self) -> None:
        self.states.append([str(made) for made in self.ledger.created()])


def test_a_thing_is_kept_before_the_block_and_after_it() -> None:
    """And once more when it is removed; the key goes with the last thing."""
    kept = Kept({"mine": 1})
    with kept.ledger.creating("database", "shop", {"host": "db"}):
        assert kept.states == [["database shop (unconfirmed)"]]
    kept.ledger.removed("database", "shop")
    kept.ledger.removed("database", "shop")
    assert kept.states == [["database shop (unconfirmed)"], ["database shop"], []]
    assert kept.metadata == {"mine": 1}


def test_a_block_that_fails_leaves_its_thing_unconfirmed() -> None:
    """Whatever it raises; what was confirmed before stays so."""
    kept = Kept()
    with pytest.raises(KeyboardInterrupt), kept.ledger.creating("role", "shop", {}):
        raise KeyboardInterrupt
    assert [made.confirmed for made in kept.ledger.created()] == [False]
    with kept.ledger.creating("role", "shop", {}):
        pass
    with pytest.raises(ModuleError), kept.ledger.creating("role", "shop", {}):
        raise ModuleError("it is in use")
    assert kept.ledger.created() == [Created("role", "shop", True)]


def test_a_thing_is_made_once_and_keeps_its_place() -> None:
    """One kind and name is one thing; what is known already and unchanged is not kept again."""
    kept = Kept()
    for name in ("a", "b", "a"):
        with kept.ledger.creating("role", name, {"n": 1}):
            pass
    assert [made.name for made in kept.ledger.created()] == ["b", "a"]
    assert len(kept.states) == 4


def test_what_is_under_the_key_beside_it_stays() -> None:
    """The version of the metadata, and what a newer host keeps there."""
    kept = Kept({KEY: {"metadataVersion": 3, "later": [1]}})
    with kept.ledger.creating("role", "shop", {}):
        pass
    kept.ledger.removed("role", "shop")
    assert kept.metadata == {KEY: {"metadataVersion": 3, "later": [1]}}


@pytest.mark.parametrize("kind", ["", 3, None, b"role"])
def test_kind_and_name_are_text(kind: Any) -> None:
    """What is not would be found by nobody."""
    for one, other in ((kind, "shop"), ("role", kind)):
        with (
            pytest.raises(TypeError, match="takes text for kind and name"),
            Kept().ledger.creating(one, other, {}),
        ):
            pass


def test_threads_of_a_hook_lose_no_thing() -> None:
    """Eight make twenty things each."""
    kept = Kept()

    def make(prefix: int) -> None:
        for number in range(20):
            with kept.ledger.creating("thing", f"{prefix}-{number}", {}):
                pass

    threads = [threading.Thread(target=make, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kept.ledger.created()) == 160
    assert all(made.confirmed for made in kept.ledger.created())


@pytest.mark.parametrize("value", [None, 3, [], {"created": 3}, {"created": [{"kind": "x"}]}])
def test_what_is_no_ledger_is_never_written_over(value: Any) -> None:
    """It may be all that tells where things are."""
    kept = Kept({KEY: value})
    before = deepcopy(kept.metadata)
    with (
        pytest.raises(ModuleError, match=r'metadata\["modulehost"\] is not as the host left it'),
        kept.ledger.creating("role", "shop", {}),
    ):
        pass
    assert kept.metadata == before
    assert left(kept.metadata) == []
