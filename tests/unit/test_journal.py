"""The journal: what the operator did not keep is given back, and only that."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from support import go
from support.interpreter import evaluate
from support.properties import METADATA, same, tried_less

from modulehost.front.journal import EDITED, RESTORED, SENT, Given, Journal
from modulehost.shared.errors import HostError
from modulehost.shared.metadata import decode, encode, restore
from modulehost.shared.records import MetadataText, OperationName
from modulehost.shared.salvage import salvage

ROOMY = 1 << 20
ONE = {"a": 1}
TWO = {"a": 2}


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """A folder that is not there yet."""
    return str(tmp_path / "state")


@pytest.fixture
def journal(folder: str) -> Iterator[Journal]:
    """A journal in it."""
    journal = Journal(folder)
    yield journal
    close(journal)


def body(metadata: dict[str, Any]) -> bytes:
    """Metadata as a client sends it."""
    return json.dumps(metadata).encode()


def text(metadata: dict[str, Any]) -> MetadataText:
    """Metadata as a runner sends it."""
    return MetadataText(encode(metadata, ROOMY))


def close(journal: Journal) -> None:
    """Give back the descriptors, which a process of the host never does."""
    while journal._slots._files:
        os.close(journal._slots._files.pop())


def operate(
    journal: Journal,
    operation: OperationName,
    sent: dict[str, Any],
    left: dict[str, Any] | None,
    *,
    succeeded: bool = True,
    delivered: bool = True,
) -> Given:
    """A whole operation; ``left`` is None when its process died."""
    given = journal.begin(operation, "id", body(sent))
    outcome = None if left is None else text(left)
    journal.finish(outcome, succeeded=succeeded and left is not None)
    if delivered:
        journal.delivered()
    return given


def given_next(
    journal: Journal, operation: OperationName, sent: dict[str, Any]
) -> tuple[dict[str, Any], str]:
    """What the next operation is given, and where it is from."""
    given = journal.begin(operation, "next", body(sent))
    return restore(given.metadata), given.origin


class TestRules:
    """Which metadata an operation gets."""

    def test_the_first_operation_gets_what_was_sent(self, journal: Journal) -> None:
        """An empty journal has nothing to say."""
        assert given_next(journal, "install", ONE) == (ONE, SENT)

    def test_a_kept_outcome_comes_as_sent(self, journal: Journal) -> None:
        """The operator that kept the outcome sends it, and that is that."""
        operate(journal, "install", {}, ONE)
        assert given_next(journal, "sleep", ONE) == (ONE, SENT)

    @pytest.mark.parametrize("succeeded", [True, False])
    @pytest.mark.parametrize("delivered", [True, False])
    @pytest.mark.parametrize("operation", ["sleep", "uninstall"])
    def test_an_outcome_that_was_not_kept_is_restored(
        self, journal: Journal, operation: OperationName, succeeded: bool, delivered: bool
    ) -> None:
        """Another operation with the same body shows that the outcome was lost, whyever."""
        operate(journal, "install", {}, ONE, succeeded=succeeded, delivered=delivered)
        assert given_next(journal, operation, {}) == (ONE, RESTORED)

    @pytest.mark.parametrize(("succeeded", "delivered"), [(False, True), (True, False)])
    def test_a_repeated_operation_goes_on_where_it_failed(
        self, journal: Journal, succeeded: bool, delivered: bool
    ) -> None:
        """The same operation again after a failure or a lost answer gets what was left."""
        operate(journal, "install", {}, ONE, succeeded=succeeded, delivered=delivered)
        assert given_next(journal, "install", {}) == (ONE, RESTORED)

    def test_a_repeated_operation_after_a_success_is_taken_as_it_comes(
        self, journal: Journal
    ) -> None:
        """Somebody with curl who repeats a delivered success gets what they sent."""
        operate(journal, "install", {}, ONE)
        assert given_next(journal, "install", {}) == ({}, SENT)

    @pytest.mark.parametrize("succeeded", [True, False])
    def test_any_other_body_wins(self, journal: Journal, succeeded: bool) -> None:
        """A body that is neither what was sent nor what was left was changed by somebody."""
        operate(journal, "install", {}, ONE, succeeded=succeeded)
        assert given_next(journal, "sleep", TWO) == (TWO, EDITED)

    @pytest.mark.parametrize("left", [{}, None])
    def test_a_first_install_is_no_edit(
        self, journal: Journal, left: dict[str, Any] | None
    ) -> None:
        """Whatever was tried before it has failed and left nothing; but what it left counts."""
        operate(journal, "sleep", {}, left, succeeded=False)
        assert given_next(journal, "install", ONE) == (ONE, SENT)
        journal.revert()
        assert given_next(journal, "resume", ONE) == (ONE, EDITED)
        journal.revert()
        operate(journal, "install", ONE, TWO, succeeded=False)
        assert given_next(journal, "install", {"c": 3}) == ({"c": 3}, EDITED)

    def test_an_old_body_by_hand_is_overridden(self, journal: Journal) -> None:
        """An old annotation put back by hand cannot be told from one that was never replaced."""
        operate(journal, "install", {}, ONE)
        operate(journal, "sleep", ONE, TWO)
        assert given_next(journal, "resume", ONE) == (TWO, RESTORED)

    def test_an_emptied_outcome_is_restored(self, journal: Journal) -> None:
        """The operator does not store {}; the plugin that cleared everything is given {}."""
        operate(journal, "install", ONE, {})
        assert given_next(journal, "sleep", ONE) == ({}, RESTORED)

    def test_losses_add_up(self, journal: Journal) -> None:
        """However often in a row nothing is kept, the plugin is given what it last left."""
        left: dict[str, Any] = {}
        life: list[OperationName] = ["install", "sleep", "resume", "sleep"]
        for number, operation in enumerate(life * 3):
            given = operate(journal, operation, {}, {"n": number}, succeeded=number % 2 == 0)
            assert restore(given.metadata) == left
            left = {"n": number}

    def test_the_order_of_keys_makes_no_difference(self, journal: Journal) -> None:
        """Bodies are compared as sorted text."""
        operate(journal, "install", {"b": 1, "a": {"d": 1, "c": 2}}, ONE)
        assert given_next(journal, "sleep", {"a": {"c": 2, "d": 1}, "b": 1}) == (ONE, RESTORED)

    @pytest.mark.parametrize(
        "number", [1e16, 2.0**53, -(2.0**60), 1e20, 1.2345678901234567e20, 1e21, 1e-6, -0.0, 3.0]
    )
    def test_numbers_in_the_form_of_go_are_no_edit(self, journal: Journal, number: float) -> None:
        """An outcome comes back with its numbers as Go writes them and is known all the same."""
        left = {"n": number}
        operate(journal, "install", {}, left)
        kept = decode(go.round_trip(encode(left, ROOMY)))
        assert given_next(journal, "sleep", kept) == (left, SENT)

    @pytest.mark.parametrize("number", [1e16, -(2.0**60), 1e20])
    def test_restored_numbers_can_be_left_again(self, journal: Journal, number: float) -> None:
        """A whole float past 2^53 is restored as the float that it was, which encode takes."""
        operate(journal, "install", {}, {"n": number}, succeeded=False)
        metadata, origin = given_next(journal, "uninstall", {})
        assert (metadata, origin) == ({"n": number}, RESTORED)
        encode(metadata, ROOMY)


class TestRunning:
    """While an operation runs."""

    def test_what_was_saved_outlives_the_process(self, journal: Journal, folder: str) -> None:
        """A checkpoint is what the next operation gets when the plugin's process dies."""
        journal.begin("install", "one", b"{}")
        journal.save("one", 1, text({"a": 1}))
        journal.finish(None, succeeded=False)
        assert given_next(Journal(folder), "uninstall", {}) == (ONE, RESTORED)

    def test_what_was_saved_outlives_the_front(self, journal: Journal, folder: str) -> None:
        """So it is when nobody was left to finish the operation."""
        journal.begin("install", "one", b"{}")
        journal.save("one", 1, text({"a": 1}))
        assert given_next(Journal(folder), "uninstall", {}) == (ONE, RESTORED)

    def test_a_beginning_alone_changes_nothing(self, journal: Journal, folder: str) -> None:
        """An operation that got nowhere leaves what it was given."""
        operate(journal, "install", {}, ONE, succeeded=False)
        journal.begin("uninstall", "one", b"{}")
        assert given_next(Journal(folder), "uninstall", {}) == (ONE, RESTORED)

    def test_late_copies_are_dropped(self, journal: Journal) -> None:
        """A copy of an operation that has ended, or of another one, is not taken."""
        journal.begin("install", "one", b"{}")
        journal.save("other", 1, text({"a": 9}))
        journal.finish(text({"a": 1}), succeeded=False)
        journal.save("one", 1, text({"a": 9}))
        journal.begin("uninstall", "two", b"{}")
        journal.save("one", 1, text({"a": 9}))
        journal.finish(None, succeeded=False)
        assert given_next(journal, "uninstall", {}) == (ONE, RESTORED)

    def test_an_outcome_replaces_what_was_saved(self, journal: Journal) -> None:
        """The end of an operation counts more than the copies before it."""
        journal.begin("install", "one", b"{}")
        journal.save("one", 1, text({"a": 9}))
        journal.finish(text({"a": 1}), succeeded=True)
        assert given_next(journal, "sleep", {}) == (ONE, RESTORED)

    @pytest.mark.parametrize("value", [float("inf"), 2**60, "\ud800"])
    def test_what_is_no_json_is_journaled_too(
        self, journal: Journal, folder: str, value: Any
    ) -> None:
        """Uninstall is given what install left, JSON or not, however often it fails."""
        left = {"bad": value, "good": [1]}
        journal.begin("install", "one", b"{}")
        journal.finish(MetadataText(salvage(left) or b"", is_json=False), succeeded=False)
        for _ in range(3):
            again = Journal(folder)
            assert given_next(again, "uninstall", {}) == (left, RESTORED)
            again.finish(None, succeeded=False)
            close(again)

    def test_a_reverted_operation_never_was(self, journal: Journal, folder: str) -> None:
        """An operation whose plugin was not called is forgotten, in memory and on disk."""
        operate(journal, "install", {}, ONE)
        for again in (journal, Journal(folder)):
            journal.begin("sleep", "two", body(TWO))
            journal.revert()
            assert given_next(again, "sleep", {}) == (ONE, RESTORED)
            again.revert()

    def test_a_reverted_operation_does_not_take_the_delivery_along(
        self, journal: Journal, folder: str
    ) -> None:
        """That the operation before was delivered is still known, also to the next front."""
        operate(journal, "install", {}, ONE)
        journal.begin("sleep", "two", body(TWO))
        journal.revert()
        assert given_next(Journal(folder), "install", {}) == ({}, SENT)

    def test_a_first_operation_that_was_reverted_was_not_entered(self, journal: Journal) -> None:
        """Whether any hook was ever entered: not by an operation that was taken back."""
        entered = [journal.entered]
        journal.begin("install", "one", b"{}")
        entered.append(journal.entered)
        journal.revert()
        assert [*entered, journal.entered] == [False, True, False]


class TestFile:
    """On disk."""

    def test_it_is_for_the_owner_only(self, journal: Journal, folder: str) -> None:
        """Metadata may hold what is private: every file has mode 0600."""
        operate(journal, "install", {}, ONE)
        files = list(Path(folder).iterdir())
        assert files
        assert {file.stat().st_mode & 0o777 for file in files} == {0o600}

    def test_it_is_read_again(self, journal: Journal, folder: str) -> None:
        """A new front goes on where the last one ended: outcome, delivery, module."""
        journal.admit("shop.default")
        operate(journal, "install", {}, ONE)
        again = Journal(folder)
        assert again.problem is None
        assert again.entered
        with pytest.raises(HostError):
            again.admit("blog.default")
        assert given_next(again, "install", {}) == ({}, SENT)
        again.revert()
        assert given_next(again, "sleep", {}) == (ONE, RESTORED)

    @pytest.mark.parametrize("delivered", [True, False])
    def test_delivery_is_noted_in_place(
        self, journal: Journal, folder: str, delivered: bool
    ) -> None:
        """Whether a success was delivered is settled without writing the metadata again."""
        big = {"text": "x" * 100_000}
        operate(journal, "install", {}, big, delivered=False)
        before = {file: file.read_bytes() for file in Path(folder).iterdir()}
        if delivered:
            journal.delivered()
        after = {file: file.read_bytes() for file in Path(folder).iterdir()}
        changed = [
            a != b for file in before for a, b in zip(before[file], after[file], strict=True)
        ]
        assert sum(changed) == delivered
        origin = SENT if delivered else RESTORED
        assert given_next(Journal(folder), "install", {})[1] == origin

    def test_the_write_of_another_process_is_read_when_asked(
        self, journal: Journal, folder: str
    ) -> None:
        """Two fronts that overlap: the later one reads what the first one wrote last."""
        other = f"""
from modulehost.front.journal import Journal
from modulehost.shared.records import MetadataText
journal = Journal({folder!r})
journal.admit("shop.default")
journal.begin("install", "one", b"{{}}")
journal.finish(MetadataText(b'{{"a":1}}'), succeeded=True)
print(0)
"""
        evaluate(other)
        journal.load()
        assert given_next(journal, "sleep", {}) == (ONE, RESTORED)
        with pytest.raises(HostError):
            journal.admit("blog.default")

    def test_a_module_that_was_uninstalled_elsewhere_is_forgotten(
        self, journal: Journal, folder: str
    ) -> None:
        """The other front's clearing is noticed as well."""
        operate(journal, "install", {}, ONE)
        other = Journal(folder)
        other.clear()
        assert given_next(journal, "install", {}) == ({}, SENT)
        close(other)

    @pytest.mark.parametrize("garbage", [b"", b"{", b"null", b'{"sent": 3', b"\xff\xfe"])
    def test_a_broken_file_is_an_empty_journal(
        self, journal: Journal, folder: str, garbage: bytes
    ) -> None:
        """What cannot be read is as if nothing had been written; the next operation goes on."""
        operate(journal, "install", {}, ONE)
        for file in Path(folder).iterdir():
            file.write_bytes(garbage)
        again = Journal(folder)
        assert not again.entered
        operate(again, "install", {}, TWO)
        assert again.problem is None
        assert given_next(Journal(folder), "sleep", {}) == (TWO, RESTORED)

    @pytest.mark.parametrize("text", [b"{", b"[]", b'{"sent": }', b'{"entered": 3}', b"\xff"])
    def test_a_whole_file_of_nonsense_is_an_empty_journal(
        self, journal: Journal, folder: str, text: bytes
    ) -> None:
        """Nor does a record of another form harm."""
        journal._slots.write(text)
        assert not Journal(folder).entered


class TestWithoutFile:
    """Where nothing can be written."""

    @pytest.fixture
    def homeless(self, tmp_path: Path) -> Journal:
        """A journal whose folder is a file."""
        (tmp_path / "file").touch()
        return Journal(str(tmp_path / "file"))

    def test_it_says_so(self, homeless: Journal, tmp_path: Path) -> None:
        """The problem names the folder and the reason."""
        assert homeless.problem is not None
        assert homeless.problem.startswith("the journal is kept in memory only: ")
        assert str(tmp_path) in homeless.problem

    def test_it_is_kept_in_memory(self, homeless: Journal) -> None:
        """All rules hold as long as the process lives."""
        homeless.admit("shop.default")
        operate(homeless, "install", {}, ONE)
        assert given_next(homeless, "install", {}) == ({}, SENT)
        homeless.revert()
        assert given_next(homeless, "sleep", {}) == (ONE, RESTORED)
        homeless.save("next", 1, text({"a": 2}))
        homeless.finish(None, succeeded=False)
        assert given_next(homeless, "uninstall", {}) == (TWO, RESTORED)
        with pytest.raises(HostError):
            homeless.admit("blog.default")
        homeless.clear()
        homeless.admit("blog.default")
        assert homeless.problem is not None

    def test_a_full_disk_loses_nothing_while_the_process_lives(self, tmp_path: Path) -> None:
        """A record for which there is no room is kept in memory, although an older one is there."""
        told = evaluate(
            f"""
import json, resource
from modulehost.front.journal import Journal
from modulehost.shared.records import MetadataText
journal = Journal({str(tmp_path)!r})
journal.begin("install", "one", b"{{}}")
journal.finish(MetadataText(b'{{"a":1}}'), succeeded=True)
journal.delivered()
resource.setrlimit(resource.RLIMIT_FSIZE, (40, resource.RLIM_INFINITY))
journal.admit("shop.default")
journal.begin("sleep", "two", b'{{"a": 1}}')
journal.finish(MetadataText(b'{{"a":2}}'), succeeded=False)
problem = journal.problem
given = journal.begin("uninstall", "three", b'{{"a": 1}}')
print(json.dumps([problem, given.metadata.text.decode(), given.origin]))
"""
        )
        problem, metadata, origin = told
        assert problem.startswith("the journal is kept in memory only: ")
        assert (json.loads(metadata), origin) == (TWO, RESTORED)


class TestModule:
    """Which module this host is for."""

    def test_the_first_module_is_pinned(self, journal: Journal) -> None:
        """Calls for another module than the first are refused, naming both."""
        journal.admit("shop.default")
        journal.admit("shop.default")
        with pytest.raises(HostError, match=r"shop\.default.*blog\.default"):
            journal.admit("blog.default")

    def test_no_module_always_passes(self, journal: Journal) -> None:
        """A call that names no module neither pins nor is refused."""
        journal.admit(None)
        journal.admit("shop.default")
        journal.admit(None)

    def test_clearing_unpins(self, journal: Journal, folder: str) -> None:
        """After an uninstall the host is anybody's, and everything is forgotten."""
        journal.admit("shop.default")
        operate(journal, "install", {}, ONE)
        journal.clear()
        for again in (journal, Journal(folder)):
            assert not again.entered
            again.admit("blog.default")
            assert given_next(again, "install", {}) == ({}, SENT)
            again.clear()


class TestToSend:
    """What a person's call sends."""

    def test_nothing_yet_is_an_empty_object(self, journal: Journal) -> None:
        """Before any operation that is {}."""
        assert journal.to_send() == b"{}"

    @pytest.mark.parametrize("succeeded", [True, False])
    def test_the_plugin_is_given_the_last_outcome(self, journal: Journal, succeeded: bool) -> None:
        """Whatever became of the last operation, its outcome is what the next one is given."""
        operate(journal, "install", {}, ONE, succeeded=succeeded)
        assert given_next(journal, "uninstall", decode(journal.to_send()))[0] == ONE


class Story(RuleBasedStateMachine):
    """Any life of a module under an operator that keeps metadata as the real one does."""

    @initialize()
    def start(self) -> None:
        """A module is created."""
        self.place = tempfile.TemporaryDirectory()
        self.journal = Journal(self.place.name)
        self.kept: dict[str, Any] = {}
        self.left: dict[str, Any] = {}
        self.edited = False
        self.last: tuple[OperationName | None, bool] = (None, False)

    @rule(
        operation=st.sampled_from(get_args(OperationName)),
        left=METADATA | st.none() | st.just({}),
        ending=st.sampled_from(
            ["stored", "stored", "not stored", "lost", "failed", "died", "config"]
        ),
    )
    def call(self, operation: OperationName, left: dict[str, Any] | None, ending: str) -> None:
        """An operation: the plugin gets what it last left, or what was deliberately changed."""
        given = self.journal.begin(operation, "id", body(self.kept))
        metadata = restore(given.metadata)
        repeated = self.last == (operation, True)
        if self.edited or repeated:
            assert same(metadata, self.kept) or same(metadata, self.left)
        else:
            assert same(metadata, self.left)
        if ending == "config":
            self.journal.revert()
            return
        self.edited = False
        self.left = metadata if left is None else left
        outcome = text(self.left)
        if ending == "died":
            self.journal.save("id", 1, outcome)
            self.journal.finish(None, succeeded=False)
        else:
            self.journal.finish(outcome, succeeded=ending != "failed")
        if ending not in ("lost", "died"):
            self.journal.delivered()
        self.last = operation, ending in ("stored", "not stored")
        if ending == "stored" and self.left:
            self.kept = decode(go.round_trip(outcome.text))

    @rule()
    def wake(self) -> None:
        """The host sleeps and wakes, or its front is killed: another process reads the journal."""
        close(self.journal)
        self.journal = Journal(self.place.name)
        assert self.journal.problem is None

    @rule(metadata=METADATA)
    def edit(self, metadata: dict[str, Any]) -> None:
        """Somebody edits the annotation by hand."""
        self.kept = decode(go.round_trip(encode(metadata, ROOMY)))
        self.edited = True

    @precondition(lambda self: not self.edited)
    @rule()
    def uninstall(self) -> None:
        """The module goes, and another one may come."""
        self.journal.begin("uninstall", "id", body(self.kept))
        self.journal.finish(text({}), succeeded=True)
        self.journal.clear()
        self.journal.delivered()
        self.kept = self.left = {}
        self.last = (None, False)

    def teardown(self) -> None:
        """The pod goes."""
        close(self.journal)
        self.place.cleanup()


TestStory = Story.TestCase
TestStory.settings = settings(tried_less, stateful_step_count=20)
