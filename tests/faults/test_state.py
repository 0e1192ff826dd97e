"""A state directory that cannot be used: operations work, and the journal is kept in memory."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.faults import given, gone, prompt_health, uninstalls_with
from support.host import Host

HALF = {"install": 1, "half": "done"}
# root is stopped by no permission, so other things stand in the way


def a_file_in_its_place(state: Path) -> None:
    """The directory itself cannot be made."""
    state.write_text("not a folder")


def a_file_above_it(state: Path) -> None:
    """Its parent is a file: the host is told to use a folder inside."""
    state.write_text("not a folder")


def a_folder_in_place_of_the_journal(state: Path) -> None:
    """The journal's files cannot be opened."""
    (state / "journal.0").mkdir(parents=True)
    (state / "journal.1").mkdir()


def a_link_in_place_of_the_journal(state: Path) -> None:
    """Somebody wants to have the journal written elsewhere."""
    state.mkdir()
    (state / "journal.0").symlink_to(state.parent / "victim")


def a_pipe_in_place_of_the_journal(state: Path) -> None:
    """What is there is no file."""
    state.mkdir()
    os.mkfifo(state / "journal.0")
    os.mkfifo(state / "journal.1")


def a_read_only_file_system(state: Path) -> None:
    """Nothing can be made there."""
    state.symlink_to("/proc/1")


@pytest.mark.parametrize(
    "obstacle",
    [
        a_file_in_its_place,
        a_file_above_it,
        a_folder_in_place_of_the_journal,
        a_link_in_place_of_the_journal,
        a_pipe_in_place_of_the_journal,
        a_read_only_file_system,
    ],
)
def test_without_a_state_directory_the_journal_is_in_memory(
    tmp_path: Path, obstacle: Callable[[Path], None]
) -> None:
    """A warning says so; what an install left is given to uninstall; the host stays awake."""
    host = Host(tmp_path, "raises", RAISES="ModuleError", MODULE_IDLE=0.2)
    obstacle(host.state)
    if obstacle is a_file_above_it:
        host.environ["MODULE_STATE_DIR"] = str(host.state / "deeper")
    with host:
        assert host.call("install", {}).text == "the database refuses us\n"
        warning = next(e for e in host.events() if "kept in memory only" in e["event"])
        assert warning["level"] == "warning"
        prompt_health(host)
        time.sleep(0.6)
        assert not host.events("asleep")
        uninstalls_with(host, HALF)
        assert not (tmp_path / "victim").exists()


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    """What no longer fits is kept in memory, and wins over the older record on the disk."""
    limited = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 18, 1 << 18));"
        "from modulehost.keeper.serve import main; sys.exit(main([]))"
    )
    with Host(tmp_path, "raises", command=("-c", limited), MODULE_IDLE=0.2) as host:
        # what was sent and what was left are in the journal: together they do not fit
        large = {"raise": "ModuleError", "large": "x" * 150_000}
        assert host.call("install", large).text == "the database refuses us\n"
        (host.folder / "given").unlink()
        prompt_health(host)
        time.sleep(0.6)
        assert not host.events("asleep")
        assert host.call("uninstall", large).status == 204
        assert given(host)[-1] == ("uninstall", {"large": large["large"], **HALF})


def test_a_directory_that_comes_back_is_used_again(tmp_path: Path) -> None:
    """The next operation is journaled on disk, and the host may sleep."""
    host = Host(tmp_path, "raises", RAISES="ModuleError", MODULE_IDLE=0.2)
    host.state.write_text("not a folder")
    with host:
        assert host.call("resume", {}).status == 200
        host.state.unlink()
        assert host.call("install", {"resume": 1}).status == 400
        front = host.front
        os.kill(front, signal.SIGKILL)
        gone(front)
        uninstalls_with(host, {"resume": 1, **HALF}, sent={"resume": 1})


def test_a_directory_that_is_taken_away_is_made_again(tmp_path: Path) -> None:
    """Somebody has cleaned up /tmp: what is in memory is written once more."""
    with Host(tmp_path, "raises", RAISES="ModuleError") as host:
        assert host.call("resume", {}).status == 200
        for path in host.state.iterdir():
            path.unlink()
        host.state.rmdir()
        assert host.call("install", {"resume": 1}).status == 400
        front = host.front
        os.kill(front, signal.SIGKILL)
        gone(front)
        uninstalls_with(host, {"resume": 1, **HALF}, sent={"resume": 1})


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\x00" * 100,
        b"\xff\xfe\xfd" * 100,
        b"+ 7 5                          \n{}   \n7\n",
        b"+ 7 2                          \n[]\n7\n",
        b'+ 7 26                         \n{"sent": 3, "outcome": []}\n7\n',
        b"+ 7 999999999999999            \n{}\n7\n",
        b"+ 7 -40                        \n{}\n7\n",
        b"+ -7 2                         \n{}\n-7\n",
        b"- 99999999999999999999999 2    \n{}\n99999999999999999999999\n",
        b"+ 7 2                          \n{}\n7\n" * 1000,
    ],
)
def test_a_broken_journal_is_no_reason_to_fail(tmp_path: Path, text: bytes) -> None:
    """The host begins a new one, and serves."""
    host = Host(tmp_path, "raises", RAISES="ModuleError")
    host.state.mkdir()
    for number in (0, 1):
        (host.state / f"journal.{number}").write_bytes(text)
    with host:
        assert host.call("install", {}).text == "the database refuses us\n"
        front = host.front
        os.kill(front, signal.SIGKILL)
        gone(front)
        uninstalls_with(host, HALF)


def test_a_journal_that_was_cut_off_is_the_one_before(tmp_path: Path) -> None:
    """The host was killed while it wrote: the older of its two records is whole."""
    host = Host(tmp_path, "raises", RAISES="ModuleError")
    with host:
        assert host.call("resume", {}).status == 200
        assert host.call("install", {"resume": 1}).status == 400
        host.stop()
        journals = [host.state / f"journal.{number}" for number in (0, 1)]
        newer = max(journals, key=lambda path: int(path.read_bytes().split()[1]))
        newer.write_bytes(newer.read_bytes()[:-5])
        host.start().listening()
        # what the finished install left is lost with it, but not that it was begun
        assert host.call("uninstall", {"resume": 1}).status == 204
        assert given(host)[-1][1]["resume"] == 1
        assert given(host)[-1][1]["install"] == 1
