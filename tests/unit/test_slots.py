"""A text that is replaced whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.interpreter import evaluate
from support.properties import tried_less

from modulehost.front.journal_file import Slots

FILES = ("text.0", "text.1")


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """A folder that is not there yet."""
    return str(tmp_path / "state")


@pytest.fixture
def slots(folder: str) -> Iterator[Slots]:
    """Slots in it."""
    slots = Slots(folder, "text")
    yield slots
    close(slots)


def close(slots: Slots) -> None:
    """Give back the descriptors, which a process of the host never does."""
    while slots._files:
        os.close(slots._files.pop())


def again(folder: str) -> tuple[bytes, bool]:
    """What another process reads."""
    slots = Slots(folder, "text")
    try:
        return slots.read()
    finally:
        close(slots)


def test_nothing_written_is_empty(slots: Slots) -> None:
    """New slots hold no text, and nothing is wrong with them."""
    assert (slots.read(), slots.problem, slots.newer()) == ((b"", False), None, False)


@tried_less
@given(st.lists(st.binary(max_size=50) | st.sampled_from([b"", b"x" * 100_000]), min_size=1))
def test_the_last_text_counts(tmp_path_factory: pytest.TempPathFactory, texts: list[bytes]) -> None:
    """After any writes, shorter and longer ones, the last is what is read."""
    folder = str(tmp_path_factory.mktemp("slots"))
    slots = Slots(folder, "text")
    for text in texts:
        slots.write(text)
        assert slots.read() == again(folder) == (text, False)
    close(slots)


def test_a_mark_stays_with_its_text(slots: Slots, folder: str) -> None:
    """A mark is seen by the next process; the next text has none."""
    slots.write(b"one")
    slots.mark()
    assert again(folder) == (b"one", True)
    slots.write(b"two")
    assert again(folder) == (b"two", False)


def test_marking_changes_one_byte_in_place(slots: Slots, folder: str) -> None:
    """The file is neither replaced nor written again for a mark."""
    slots.write(b"text")
    file = Path(folder, FILES[1])
    before, inode = file.read_bytes(), file.stat().st_ino
    slots.mark()
    after = file.read_bytes()
    assert file.stat().st_ino == inode
    assert [place for place in range(len(before)) if before[place] != after[place]] == [0]


def test_only_the_owner_may_read(slots: Slots, folder: str) -> None:
    """Files have mode 0600, a folder that had to be made 0700."""
    slots.write(b"one")
    slots.write(b"two")
    assert Path(folder).stat().st_mode & 0o777 == 0o700
    for name in FILES:
        assert Path(folder, name).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("first", "second"), [(b"old", b"the new text"), (b"the old text", b"new")]
)
def test_a_write_that_is_cut_off_never_happened(folder: str, first: bytes, second: bytes) -> None:
    """Killed after any byte of a write, the text before it is read; after the last the new one."""
    slots = Slots(folder, "text")
    slots.write(b"x" * 40)
    slots.write(first)
    file = Path(folder, FILES[1])
    old = file.read_bytes()
    slots.write(second)
    new = file.read_bytes()
    for size in range(len(new) + 1):
        file.write_bytes(new[:size] + old[size:])
        assert again(folder)[0] == (second if size == len(new) else first)
    close(slots)


@pytest.mark.parametrize(
    "garbage", [b"", b"\xff" * 60, b"- 9 4", b"+ 99999999999 5\n", b"- x 1 \n"]
)
def test_garbage_is_no_text(slots: Slots, folder: str, garbage: bytes) -> None:
    """A file that something else has written into is passed over."""
    slots.write(b"one")
    slots.write(b"two")
    Path(folder, FILES[0]).write_bytes(garbage)
    assert again(folder)[0] == b"one"
    Path(folder, FILES[1]).write_bytes(garbage)
    assert again(folder) == (b"", False)


def test_the_write_of_another_process_is_noticed(slots: Slots, folder: str) -> None:
    """What another process has written is newer until it has been read."""
    slots.write(b"mine")
    assert not slots.newer()
    evaluate(
        f"from modulehost.front.journal_file import Slots; s = Slots({folder!r}, 'text'); s.read();"
        " s.write(b'theirs'); print(0)"
    )
    assert slots.newer()
    assert slots.read() == (b"theirs", False)
    assert not slots.newer()
    slots.write(b"mine again")
    assert again(folder) == (b"mine again", False)


@pytest.mark.parametrize("place", ["file", "file/below", "x" * 300])
def test_a_folder_that_cannot_be_had_is_a_problem(tmp_path: Path, place: str) -> None:
    """Where there can be no folder nothing raises; the problem names it and the reason."""
    (tmp_path / "file").touch()
    slots = Slots(f"{tmp_path}/{place}", "text")
    assert slots.problem is not None
    assert slots.problem.startswith(f"{tmp_path}/")
    slots.write(b"text")
    slots.mark()
    assert (slots.read(), slots.newer()) == ((b"", False), False)
    assert slots.problem is not None


def test_a_problem_ends_when_its_cause_does(tmp_path: Path) -> None:
    """Once the folder can be made, the next write goes there."""
    (tmp_path / "state").touch()
    folder = str(tmp_path / "state")
    slots = Slots(folder, "text")
    slots.write(b"lost")
    (tmp_path / "state").unlink()
    slots.write(b"kept")
    assert slots.problem is None
    assert again(folder) == (b"kept", False)
    close(slots)


def test_a_folder_that_was_deleted_is_made_again(slots: Slots, folder: str) -> None:
    """Somebody who cleans up /tmp takes the text along, but not those that follow."""
    slots.write(b"one")
    for name in FILES:
        Path(folder, name).unlink()
    Path(folder).rmdir()
    slots.write(b"two")
    assert slots.problem is None
    assert again(folder) == (b"two", False)


@pytest.mark.parametrize("marks", [False, True])
@pytest.mark.parametrize("texts", [[b"one"], [b"one", b"two"]])
@pytest.mark.parametrize("names", [FILES[:1], FILES[1:], FILES])
def test_a_file_that_was_removed_is_made_again(
    slots: Slots, folder: str, names: tuple[str, ...], texts: list[bytes], marks: bool
) -> None:
    """By the next write or mark, whichever it was: the last text is there, or the one before it."""
    for text in texts:
        slots.write(text)
    for name in names:
        Path(folder, name).unlink()
    if marks:
        slots.mark()
        assert again(folder) == (texts[-1], True)
    else:
        slots.write(b"new")
        assert again(folder) == (b"new", False)
        Path(folder, FILES[(len(texts) + 1) % 2]).write_bytes(b"half of")
        assert again(folder) == (texts[-1], False)
    assert slots.problem is None
    assert {path.name for path in Path(folder).iterdir()} == {*FILES}
    assert not any(os.get_inheritable(file) for file in slots._files)


def test_a_file_that_another_process_has_made_again_is_taken_as_it_is(
    slots: Slots, folder: str
) -> None:
    """What it wrote is not written over by what was there before."""
    slots.write(b"one")
    for name in FILES:
        Path(folder, name).unlink()
    other = Slots(folder, "text")
    other.write(b"theirs")
    slots.mark()
    assert slots.read()[0] == b"theirs"
    close(other)


def test_links_are_not_followed(tmp_path: Path) -> None:
    """A link that somebody has planted leads nowhere."""
    target = tmp_path / "target"
    target.write_text("precious")
    folder = tmp_path / "state"
    folder.mkdir()
    (folder / FILES[0]).symlink_to(target)
    slots = Slots(str(folder), "text")
    slots.write(b"one")
    slots.write(b"two")
    assert slots.problem is not None
    assert target.read_text() == "precious"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_files_of_somebody_else_are_not_trusted(tmp_path: Path) -> None:
    """What another user has put there is neither read nor written."""
    folder = str(tmp_path)
    slots = Slots(folder, "text")
    slots.write(b"one")
    close(slots)
    os.chown(tmp_path / FILES[1], 12345, 12345)
    slots = Slots(folder, "text")
    assert slots.problem is not None
    assert "somebody else" in slots.problem
    assert slots.read() == (b"", False)


def test_no_program_inherits_the_files(slots: Slots) -> None:
    """The descriptors are closed in every program that is started."""
    assert [os.get_inheritable(file) for file in slots._files] == [False, False]


def test_a_full_disk_leaves_the_last_text(tmp_path: Path) -> None:
    """A write for which there is no room is a problem; the text before it stays."""
    told = evaluate(
        f"""
import json, resource
from modulehost.front.journal_file import Slots
slots = Slots({str(tmp_path)!r}, "text")
slots.write(b"small")
resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
slots.write(b"x" * 200)
slots.mark()
first = slots.problem, slots.newer(), slots.read()[0].decode(), slots.read()[1]
slots.write(b"small again")
print(json.dumps([*first, slots.problem, slots.read()[0].decode()]))
"""
    )
    problem, *others = told
    assert problem
    assert others == [False, "small", False, None, "small again"]
