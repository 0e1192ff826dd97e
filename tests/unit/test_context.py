"""What a hook is given: time, cancellation, checkpoints, programs."""

from __future__ import annotations

import math
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.context import MARK, SOON, Stage, staged
from support.processes import wait_until, with_variable

from modulehost import Cancelled, Completed, Context, ModuleError, Secret
from modulehost.plugin.cancellation import Cancellation
from modulehost.plugin.program_output import MAX_OUTPUT


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """One for each test."""
    with staged(tmp_path) as stage:
        yield stage


@pytest.fixture
def ctx(stage: Stage) -> Context[Any]:
    """Its context."""
    return stage.context()


def count_descriptors() -> int:
    """How many this process has."""
    return len([*Path("/proc/self/fd").iterdir()])


class TestTime:
    """The time that is left."""

    def test_it_runs_down_to_nothing(self, stage: Stage) -> None:
        """Less and less is left, and never less than nothing."""
        ctx = stage.context(deadline=0.05)
        first = ctx.remaining()
        assert 0 < first <= 0.05
        wait_until(lambda: ctx.remaining() < first, "time passes")
        wait_until(lambda: ctx.remaining() == 0, "it is over")
        assert stage.context(deadline=-5).remaining() == 0


class TestCancellation:
    """Being asked to stop."""

    def test_nothing_happens_without_it(self, ctx: Context[Any]) -> None:
        """Nobody cancelled: steps go on, waits take their time."""
        assert ctx.cancelled is False
        ctx.raise_if_cancelled()
        before = time.monotonic()
        ctx.wait(0.05)
        assert time.monotonic() >= before + 0.04

    def test_the_reason_is_told(self, stage: Stage, ctx: Context[Any]) -> None:
        """Between two steps and in a wait the reason is raised; the first one stays."""
        stage.cancellation.set("its deadline passed")
        stage.cancellation.set("the host is stopping")
        assert ctx.cancelled is True
        waits = [lambda seconds=seconds: ctx.wait(seconds) for seconds in (SOON, 0, 1e12, math.inf)]
        for step in (ctx.raise_if_cancelled, *waits):
            with pytest.raises(Cancelled, match=r"^its deadline passed$"):
                step()

    def test_a_wait_ends_at_once(self, stage: Stage, ctx: Context[Any]) -> None:
        """Whoever sleeps is woken."""
        before = time.monotonic()
        stage.cancel_when(lambda: time.monotonic() > before + 0.05)
        with pytest.raises(Cancelled):
            ctx.wait(SOON)
        assert time.monotonic() < before + SOON

    def test_what_comes_after_the_end_is_ignored(self) -> None:
        """A cancellation just as an operation ends hits nothing, and no other's descriptor."""
        cancellation = Cancellation()
        cancellation.close()
        other = os.eventfd(0, os.EFD_NONBLOCK)
        cancellation.set("too late")
        with pytest.raises(BlockingIOError):
            os.eventfd_read(other)
        os.close(other)
        assert not cancellation.is_set()

    def test_its_descriptor_is_made_when_it_is_asked_for(self) -> None:
        """It is readable once cancelled, whichever came first; there is none after the end."""
        number = count_descriptors()
        early, late = Cancellation(), Cancellation()
        early.set("early")
        assert count_descriptors() == number
        assert early.fd == early.fd
        assert os.eventfd_read(early.fd) == 1
        with pytest.raises(BlockingIOError):
            os.eventfd_read(late.fd)
        late.set("late")
        assert os.eventfd_read(late.fd) == 1
        for cancellation in (early, late):
            cancellation.close()
            with pytest.raises(Cancelled, match=r"^its operation has ended$"):
                assert cancellation.fd
        assert count_descriptors() == number

    def test_a_plugin_may_have_closed_everything(self) -> None:
        """Giving back a descriptor that is no more is no error."""
        cancellation = Cancellation()
        os.close(cancellation.fd)
        cancellation.close()


class TestHost:
    """What the host does for a hook."""

    def test_requests_reach_the_host(self, stage: Stage, ctx: Context[Any]) -> None:
        """Checkpoints and progress are the host's to see to."""
        ctx.progress("1/2 replicas ready")
        ctx.checkpoint()
        assert stage.asked == ["1/2 replicas ready", "checkpoint"]

    def test_the_log_is_the_hosts(self, stage: Stage, ctx: Context[Any]) -> None:
        """Lines carry what the host has bound."""
        ctx.log.info("created", name="x")
        (event,) = stage.events()
        assert (event["event"], event["operation"], event["name"]) == ("created", "install", "x")


def python(code: str) -> list[str]:
    """A program."""
    return [sys.executable, "-S", "-c", code]


class TestRun:
    """Programs."""

    def test_output_and_status_are_given_back(self, ctx: Context[Any]) -> None:
        """What a program wrote to either stream, and how it ended."""
        done = ctx.run(["sh", "-c", "echo out; echo err >&2"])
        assert done == Completed(0, "out\n", "err\n")

    def test_output_is_logged_line_by_line(self, stage: Stage, ctx: Context[Any]) -> None:
        """Each line is an event that names the program."""
        ctx.run(["/bin/sh", "-c", "echo one; echo two"])
        lines = [(event["event"], event["program"]) for event in stage.events()]
        assert lines == [("one", "sh"), ("two", "sh")]

    def test_it_can_be_given_all_it_needs(self, ctx: Context[Any], tmp_path: Path) -> None:
        """Input, environment and working directory; a path as program or argument."""
        script = tmp_path / "script"
        script.write_text('#!/bin/sh\ncat "$1"; cat; pwd; echo "$WORD-$HOME"\n')
        script.chmod(0o755)
        (tmp_path / "file").write_text("file ")
        done = ctx.run(
            [script, tmp_path / "file"],
            input="input ",
            env={"WORD": "word", "PATH": os.environ["PATH"]},
            cwd=tmp_path,
        )
        assert done.stdout == f"file input {tmp_path}\nword-\n"

    def test_without_input_there_is_none(self, ctx: Context[Any]) -> None:
        """A program that reads does not wait for the host's own input."""
        assert ctx.run(["cat"]).stdout == ""

    def test_input_need_not_be_read(self, ctx: Context[Any]) -> None:
        """A program that ends before it has read all is no error."""
        assert ctx.run(["true"], input="x" * (4 << 20)).status == 0

    def test_bytes_that_are_no_text_do_no_harm(self, ctx: Context[Any]) -> None:
        """Output is decoded, come what may."""
        assert ctx.run(["printf", "a\\377b"]).stdout == "a\ufffdb"

    @pytest.mark.parametrize(
        ("script", "reason"),
        [
            ("exit 3", "sh ended with exit status 3: it said nothing"),
            ("echo first; echo last; exit 1", "sh ended with exit status 1: last"),
            ("echo out; echo err >&2; echo >&2; exit 1", "sh ended with exit status 1: err"),
            ("kill -SEGV $$", "sh ended with SIGSEGV: it said nothing"),
        ],
    )
    def test_a_failure_is_an_error_with_its_last_words(
        self, ctx: Context[Any], script: str, reason: str
    ) -> None:
        """The last line on stderr is the reason, else the last on stdout."""
        with pytest.raises(ModuleError) as caught:
            ctx.run(["sh", "-c", script])
        assert str(caught.value) == reason

    def test_a_failure_can_be_looked_at(self, ctx: Context[Any]) -> None:
        """Unchecked it is just how the program ended; a signal is a negative status."""
        assert ctx.run(["sh", "-c", "echo x; exit 3"], check=False) == Completed(3, "x\n", "")
        assert ctx.run(["sh", "-c", "kill -KILL $$"], check=False).status == -9

    def test_a_program_that_cannot_be_started_is_named(
        self, ctx: Context[Any], tmp_path: Path
    ) -> None:
        """No such program, no program at all, no such folder to run in."""
        (tmp_path / "file").touch()
        with pytest.raises(
            ModuleError, match=r"^kubeclt cannot be run: No such file or directory$"
        ):
            ctx.run(["kubeclt", "get", "pods"])
        with pytest.raises(ModuleError, match=r"^file cannot be run: Permission denied$"):
            ctx.run([tmp_path / "file"])
        with pytest.raises(
            ModuleError, match=r"^true cannot be run in /.*: No such file or directory$"
        ):
            ctx.run(["true"], cwd=tmp_path / "nowhere")

    def test_megabytes_of_output_are_cut(self, ctx: Context[Any]) -> None:
        """The end of the output is given back, the rest is not kept."""
        done = ctx.run(python("print('x' * (3 << 20)); print('the end')"))
        assert done.stdout.endswith("xxx\nthe end\n")
        assert MAX_OUTPUT // 2 < len(done.stdout) <= MAX_OUTPUT

    def test_long_lines_are_logged_in_pieces(self, stage: Stage, ctx: Context[Any]) -> None:
        """A line without end does not become one event."""
        ctx.run(python("print('x' * 10_000)"))
        events = [event["event"] for event in stage.events()]
        assert "".join(events) == "x" * 10_000
        assert len(events) > 1

    def test_a_program_left_behind_does_not_hold_it_up(
        self, stage: Stage, ctx: Context[Any], tmp_path: Path
    ) -> None:
        """A grandchild that keeps the output open is not waited for."""
        before = time.monotonic()
        pid = tmp_path / "pid"
        code = f"sleep 30 & echo $! > {pid}; echo started"
        done = ctx.run(["sh", "-c", code], env=stage.environ())
        assert done.stdout == "started\n"
        assert time.monotonic() < before + SOON
        os.kill(int(pid.read_text()), 9)
        wait_until(lambda: with_variable(MARK, stage.mark) == [], "it has ended")


class TestCancelledRun:
    """Programs that must stop."""

    def test_a_cancelled_operation_starts_none(
        self, stage: Stage, ctx: Context[Any], tmp_path: Path
    ) -> None:
        """After a cancellation no program is begun."""
        stage.cancellation.set("the client hung up")
        with pytest.raises(Cancelled, match=r"^the client hung up$"):
            ctx.run(["touch", tmp_path / "touched"])
        assert not (tmp_path / "touched").exists()

    def test_a_program_may_end_in_order(
        self, stage: Stage, ctx: Context[Any], tmp_path: Path
    ) -> None:
        """It gets SIGTERM first, and what it does then counts; the operation was cancelled."""
        ready, tidied = tmp_path / "ready", tmp_path / "tidied"
        script = f"trap 'touch {tidied}; exit 0' TERM; touch {ready}; while :; do sleep 0.01; done"
        stage.cancel_when(ready.exists)
        with pytest.raises(Cancelled, match=r"^the client hung up$"):
            ctx.run(["sh", "-c", script], env=stage.environ())
        assert tidied.exists()

    def test_the_whole_group_goes(self, stage: Stage, ctx: Context[Any], tmp_path: Path) -> None:
        """Children that are deaf to SIGTERM are killed within the grace; none is left."""
        ready = tmp_path / "ready"
        child = "trap '' TERM; sleep 60 & sleep 60"
        script = f"trap '' TERM; sh -c \"{child}\" & touch {ready}; sleep 60; sleep 60"
        stage.cancel_when(lambda: ready.exists() and len(with_variable(MARK, stage.mark)) >= 4)
        with pytest.raises(Cancelled):
            ctx.run(["sh", "-c", script], env=stage.environ())
        wait_until(lambda: with_variable(MARK, stage.mark) == [], "the group has ended")

    def test_children_go_with_a_program_that_ends_in_order(
        self, stage: Stage, ctx: Context[Any], tmp_path: Path
    ) -> None:
        """When the program obeys, what it leaves behind in its group is killed all the same."""
        ready = tmp_path / "ready"
        script = f"(trap '' TERM; touch {ready}; sleep 60; sleep 60) & wait"
        stage.cancel_when(ready.exists)
        with pytest.raises(Cancelled):
            ctx.run(["sh", "-c", script], env=stage.environ())
        wait_until(lambda: with_variable(MARK, stage.mark) == [], "the group has ended")

    def test_the_host_itself_is_not_in_the_group(self, stage: Stage, ctx: Context[Any]) -> None:
        """A program is in a group of its own, so that ending it ends nobody else."""
        done = ctx.run(python("import os; print(os.getpgid(0) == os.getpid())"))
        assert done.stdout == "True\n"


class TestInput:
    """What a program reads."""

    @pytest.mark.parametrize("data", [b"a\xffb", bytearray(b"a\xffb"), memoryview(b"a\xffb")])
    def test_bytes_arrive_as_they_are(self, ctx: Context[Any], data: bytes) -> None:
        """Also those that are no text."""
        assert ctx.run(["od", "-An", "-tx1"], input=data).stdout.split() == ["61", "ff", "62"]

    def test_much_of_it_and_much_output_at_a_time(self, ctx: Context[Any]) -> None:
        """Neither side waits for the other."""
        data = b"0123456789abcde\n" * (1 << 19)
        done = ctx.run(["sh", "-c", "tee /dev/stderr | wc -c"], input=data, log=False)
        assert done.stdout.strip() == str(len(data))
        assert data.decode().endswith(done.stderr)

    def test_a_grandchild_that_holds_the_input_open_holds_up_nothing(
        self, stage: Stage, ctx: Context[Any], tmp_path: Path
    ) -> None:
        """Nor is a thread left that feeds it for ever."""
        pid = tmp_path / "pid"
        code = f"sleep 30 <&0 & echo $! > {pid}"
        before = threading.active_count()
        ctx.run(["sh", "-c", code], input="x" * (4 << 20), env=stage.environ())
        os.kill(int(pid.read_text()), 9)
        wait_until(lambda: threading.active_count() <= before, "no thread is left")

    def test_cancelled_in_the_midst_of_it(self, stage: Stage, ctx: Context[Any]) -> None:
        """A program that does not read on is ended all the same."""
        before = time.monotonic()
        stage.cancel_when(lambda: time.monotonic() > before + 0.1)
        with pytest.raises(Cancelled):
            ctx.run(["sleep", "60"], input="x" * (4 << 20))


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    (
        {"argv": "ls -l"},
        TypeError,
        r"argv is of type str, not a list.*: write \['ls', '-l'\]",
    ),
    ({"argv": Path("ls")}, TypeError, "argv is of type PosixPath, not a list"),
    ({"argv": []}, ValueError, "argv is empty"),
    ({"argv": ["sleep", 1]}, TypeError, r"argv\[1\] is of type int, not text: use str\(\)"),
    ({"argv": ["echo", Secret("x")]}, TypeError, r"argv\[1\] is of type Secret.* use its reveal"),
    ({"argv": ["cat"], "input": {"a": 1}}, TypeError, "input is of type dict, not str or bytes"),
    ({"argv": ["cat"], "input": Secret("x")}, TypeError, r"Secret, not str or bytes: use its reve"),
    ({"argv": ["env"], "env_extra": {"PORT": 1}}, TypeError, r"env\['PORT'\] is of type int"),
    ({"argv": ["env"], "env": {1: "x"}}, TypeError, "a variable is of type int"),
    ({"argv": ["true"], "timeout": 0}, ValueError, "timeout is 0; it takes seconds above 0"),
]


@pytest.mark.parametrize(("arguments", "kind", "words"), WRONG)
def test_what_cannot_be_meant_is_refused_with_the_cure(
    ctx: Context[Any], arguments: dict[str, Any], kind: type[Exception], words: str
) -> None:
    """Before anything is started."""
    with pytest.raises(kind, match=words):
        ctx.run(**arguments)


class TestTerms:
    """What else a program can be given."""

    def test_variables_are_added_to_the_environment(
        self, ctx: Context[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """To that of the host, or to the one that replaces it."""
        monkeypatch.setenv("OURS", "1")
        argv = ["/bin/sh", "-c", "echo $OURS-$MORE-$ENV"]
        assert ctx.run(argv, env_extra={"MORE": "2"}).stdout == "1-2-\n"
        assert ctx.run(argv, env={"ENV": "3"}, env_extra={"MORE": "2"}).stdout == "-2-3\n"

    def test_output_need_not_be_logged(self, stage: Stage, ctx: Context[Any]) -> None:
        """It is given back all the same."""
        assert ctx.run(["echo", "quiet"], log=False).stdout == "quiet\n"
        assert stage.events() == []

    def test_a_program_that_takes_too_long_is_ended_with_its_group(
        self, stage: Stage, ctx: Context[Any]
    ) -> None:
        """And named, with the time; the operation itself is not cancelled."""
        with pytest.raises(ModuleError, match=r"^sh did not end within 0.2 s$"):
            ctx.run(["sh", "-c", "sleep 60 & sleep 60"], timeout=0.2, env=stage.environ())
        wait_until(lambda: with_variable(MARK, stage.mark) == [], "the group has ended")
        assert ctx.run(["echo", "on"], timeout=60).stdout == "on\n"

    def test_secrets_are_taken_out_before_lines_are_cut(
        self, stage: Stage, ctx: Context[Any]
    ) -> None:
        """Not of what is given back; but of the last words of a failure."""
        ctx.redact("first line\nab\nlast")
        ctx.redact(b"made-up-at-night")
        ctx.redact(Secret("told-by-nobody"))
        script = "printf 'x first line\\nab\\nlast y made-up-at-night told-by-nobody\\n'; exit 1"
        assert "made-up-at-night" in ctx.run(["sh", "-c", script], check=False).stdout
        assert [event["event"] for event in stage.events()] == ["x *** y *** ***"]
        with pytest.raises(ModuleError, match=r"^sh ended with exit status 1: x \*\*\* y \*\*\*"):
            ctx.run(["sh", "-c", script])
        with pytest.raises(TypeError, match="redact takes text, not int"):
            ctx.redact(5)  # type: ignore[arg-type]


class TestOutputFile:
    """Standard output as a file."""

    def test_it_is_whole_and_nobody_elses(
        self, stage: Stage, ctx: Context[Any], tmp_path: Path
    ) -> None:
        """Megabytes, neither logged nor given back; mode 0600."""
        path = tmp_path / "dump"
        path.write_text("old")
        path.chmod(0o644)
        done = ctx.run(["sh", "-c", "seq 500000; echo said >&2"], stdout=path)
        assert done == Completed(0, "", "said\n")
        assert path.read_text().endswith("\n500000\n")
        assert path.stat().st_mode & 0o777 == 0o600
        assert [event["event"] for event in stage.events()] == ["said"]
        assert sorted(p.name for p in tmp_path.iterdir() if p.name != "log") == ["dump"]

    @pytest.mark.parametrize("script", ["echo half; exit 3", "echo half; kill -9 $$"])
    def test_a_failure_leaves_what_was_there(
        self, ctx: Context[Any], tmp_path: Path, script: str
    ) -> None:
        """Half a file is never taken for a whole one."""
        path = tmp_path / "dump"
        path.write_text("old")
        with pytest.raises(ModuleError):
            ctx.run(["sh", "-c", script], stdout=path)
        assert path.read_text() == "old"
        assert not path.with_name("dump.part").exists()

    def test_what_ends_before_its_time_leaves_none(
        self, stage: Stage, ctx: Context[Any], tmp_path: Path
    ) -> None:
        """Neither a timeout nor a cancellation."""
        path = tmp_path / "dump"
        with pytest.raises(ModuleError, match="did not end within"):
            ctx.run(["sh", "-c", "echo half; sleep 60"], stdout=path, timeout=0.2)
        stage.cancel_when((tmp_path / "dump.part").exists)
        with pytest.raises(Cancelled):
            ctx.run(["sh", "-c", "echo half; sleep 60"], stdout=path)
        assert [p.name for p in tmp_path.iterdir()] == ["log"]

    def test_unchecked_the_caller_looks_at_the_status(
        self, ctx: Context[Any], tmp_path: Path
    ) -> None:
        """As with a shell's redirection."""
        path = tmp_path / "dump"
        assert ctx.run(["sh", "-c", "echo x; exit 3"], stdout=path, check=False).status == 3
        assert path.read_text() == "x\n"

    def test_what_is_no_file_stays_what_it_is(self, ctx: Context[Any], tmp_path: Path) -> None:
        """A device is written to; a folder, or a place that is not there, is named."""
        ctx.run(["echo", "x"], stdout="/dev/null")
        assert Path("/dev/null").is_char_device()
        link = tmp_path / "link"
        link.symlink_to(tmp_path / "dump")
        ctx.run(["echo", "x"], stdout=link)
        assert link.is_symlink()
        assert (tmp_path / "dump").read_text() == "x\n"
        with pytest.raises(ModuleError, match=r"nowhere/x cannot be written: No such file or dir"):
            ctx.run(["echo", "x"], stdout=tmp_path / "nowhere" / "x")
        with pytest.raises(ModuleError, match=r"cannot be written: Is a directory"):
            ctx.run(["echo", "x"], stdout=tmp_path)
