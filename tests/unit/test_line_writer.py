"""The log is never waited for: what its reader does not take is dropped and counted."""

from __future__ import annotations

import contextlib
import os
import pty
import socket
import subprocess
import sys
import termios
import threading
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.processes import wait_until

from modulehost.shared import line_writer
from modulehost.shared.line_writer import MAX_LINE, LineWriter

LINE = b"x" * 99 + b"\n"
SOON = 10.0


def count_line(count: int) -> bytes:
    """The line that tells of dropped ones."""
    return b"dropped %d\n" % count


@contextlib.contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    """Both ends of a pipe."""
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)
    os.close(writing)


def read_what_comes(reading: int, enough: Callable[[bytes], bool]) -> bytes:
    """Read until it is enough."""
    got = b""
    while not enough(got):
        got += os.read(reading, 1 << 16)
    return got


@pytest.fixture(params=["with RWF_NOWAIT", "without"])
def _kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels that know non-blocking writes to pipes, and older ones."""
    if request.param == "without":
        monkeypatch.setattr(line_writer, "_NOWAIT", 0)


@pytest.mark.usefixtures("_kernel")
class TestPipe:
    """A pipe that nobody reads."""

    def test_no_line_waits_and_none_is_forgotten(self) -> None:
        """Far more than fits in returns at once; read again, each line came or was counted."""
        with pipe() as (reading, writing):
            writer = LineWriter(writing, count_line)
            for _ in range(2000):
                writer.write(LINE)
            lines = read_what_comes(reading, lambda got: b"dropped" in got).splitlines(True)
        shown, told = lines[:-1], lines[-1]
        assert set(shown) == {LINE}
        assert told == count_line(2000 - len(shown))
        assert len(shown) * len(LINE) >= MAX_LINE

    def test_it_is_told_although_nothing_else_is_logged(self) -> None:
        """As soon as there is room again; and once only."""
        with pipe() as (reading, writing):
            writer = LineWriter(writing, count_line)
            while not writer._dropped:
                writer.write(LINE)
            got = read_what_comes(reading, lambda got: b"dropped" in got)
            writer.write(b"later\n")
            assert os.read(reading, 100) == b"later\n"
        assert got.endswith(count_line(1))

    def test_many_threads_count_right(self) -> None:
        """What four threads wrote at a time adds up, and no line is broken."""
        with pipe() as (reading, writing):
            writer = LineWriter(writing, count_line)
            each = 5000

            def write() -> None:
                for _ in range(each):
                    writer.write(LINE)

            threads = [threading.Thread(target=write) for _ in range(4)]
            for thread in threads:
                thread.start()
            seen = told = 0
            rest = b""
            while seen + told < 4 * each:
                *lines, rest = (rest + os.read(reading, 1 << 12)).split(b"\n")
                for line in lines:
                    if line.startswith(b"dropped "):
                        told += int(line.split()[1])
                    else:
                        assert line + b"\n" == LINE
                        seen += 1
            for thread in threads:
                thread.join()
        assert seen + told == 4 * each

    def test_the_pipe_stays_as_it_is_for_others(self) -> None:
        """Whoever shares the descriptor writes to it as before."""
        with pipe() as (_, writing):
            LineWriter(writing, count_line).write(LINE)
            assert os.get_blocking(writing)


def test_other_writers_in_between_do_no_harm() -> None:
    """A process that fills what room there is: still nothing waits, given RWF_NOWAIT."""
    code = "import os\nwhile 1: os.write(1, b'y' * 1024)"
    with (
        pipe() as (reading, writing),
        subprocess.Popen([sys.executable, "-S", "-c", code], stdout=writing) as other,
    ):
        writer = LineWriter(writing, count_line)
        for _ in range(20_000):
            writer.write(LINE)
            if writer._dropped == 1:
                os.read(reading, 8192)
        other.kill()


def test_a_long_line_for_people_goes_out_in_pieces() -> None:
    """A traceback on a console has no bound."""
    with pipe() as (reading, writing):
        LineWriter(writing, count_line).write(b"x" * 3 * MAX_LINE)
        assert len(os.read(reading, 1 << 16)) == 3 * MAX_LINE


def test_a_file_takes_all(tmp_path: Path) -> None:
    """Files have no reader to wait for."""
    with (tmp_path / "log").open("wb") as file:
        writer = LineWriter(file.fileno(), count_line)
        for _ in range(3000):
            writer.write(LINE)
    assert (tmp_path / "log").read_bytes() == LINE * 3000


def test_a_socket_is_not_waited_for() -> None:
    """Standard output may be one, as journald gives it."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        writer = LineWriter(ours.fileno(), count_line)
        while not writer._dropped:
            writer.write(LINE)
        got = read_what_comes(theirs.fileno(), lambda got: b"dropped" in got)
        assert got.endswith(count_line(1))
        assert ours.getblocking()


def test_a_stopped_terminal_is_not_waited_for() -> None:
    """As when its window hangs, or somebody has pressed Ctrl-S; its mode stays blocking."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    writer = LineWriter(slave, count_line)
    termios.tcflow(slave, termios.TCOOFF)
    while writer._dropped < 3:
        writer.write(LINE)
    assert os.get_blocking(slave)
    termios.tcflow(slave, termios.TCOON)
    told = read_what_comes(master, lambda got: b"dropped" in got and got.endswith(b"\n"))
    assert b"dropped 3\n" in told
    os.close(master)
    os.close(slave)


def test_a_reader_that_is_gone_is_nobody_to_count_for() -> None:
    """Nothing is raised, and no thread looks after it for ever."""
    reading, writing = os.pipe()
    writer = LineWriter(writing, count_line)
    while not writer._dropped:
        writer.write(LINE)
    os.close(reading)
    wait_until(lambda: not writer._is_watched, "nobody watches", SOON)
    writer.write(LINE)
    os.close(writing)
