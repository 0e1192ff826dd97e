"""Processes: orphans are caught, families ended, and nothing else is touched.

What is tested kills children, so it runs in processes of its own.
"""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from support.interpreter import evaluate
from support.processes import alive, wait_until
from support.seccomp import refusing

from modulehost.shared import linux

FAMILY = """
import json, os, signal, subprocess, sys, time
from modulehost.shared import linux

def started(*argv):
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)

def dead(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True

def soon(condition):
    ends = time.monotonic() + 10
    while not condition() and time.monotonic() < ends:
        time.sleep(0.01)
    return condition()

# three generations, the last in a session of its own and deaf to SIGTERM
grandchild = "trap '' TERM; echo $$; exec sleep 60"
child = f"setsid sh -c \\"{grandchild}\\" & echo $!; wait"
"""


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A child that lives for a while."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def test_children_are_listed(sleeper: subprocess.Popen[bytes]) -> None:
    """A child is among the children of its parent, also as a zombie, until it was waited for."""
    assert sleeper.pid in linux.children(os.getpid())
    assert linux.children(sleeper.pid) == []
    sleeper.kill()
    wait_until(lambda: not alive(sleeper.pid), "it is a zombie")
    assert sleeper.pid in linux.children(os.getpid())
    sleeper.wait()
    assert sleeper.pid not in linux.children(os.getpid())


def test_odd_names_do_not_confuse() -> None:
    """A command's name with blanks and brackets in it is read past."""
    told = evaluate(
        """
import json, os
from modulehost.shared import linux
with open("/proc/self/comm", "w") as file:
    file.write("a) R 1 (b")
print(json.dumps(os.getpid() in linux.children(os.getppid())))
"""
    )
    assert told is True


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "exit status 0"),
        (3, "exit status 3"),
        (-9, "SIGKILL"),
        (-11, "SIGSEGV"),
        (-40, "signal 40"),
    ],
)
def test_ends_have_words(code: int, words: str) -> None:
    """Exit codes as subprocess has them, for people."""
    assert linux.describe_exit(code) == words


def test_a_subreaper_ends_whole_families() -> None:
    """Children, orphans and those in sessions of their own: none is left, and all are reaped."""
    told = evaluate(
        FAMILY
        + """
linux.become_subreaper()
family = started("sh", "-c", child)
pids = [family.pid, *(int(family.stdout.readline()) for _ in range(2))]
family.kill()
orphan = next(pid for pid in pids if pid != family.pid)
adopted = soon(lambda: orphan in linux.children(os.getpid()))
linux.kill_children()
left = [os.path.exists(f"/proc/{pid}") for pid in pids]
print(json.dumps([adopted, linux.children(os.getpid()), left]))
"""
    )
    assert told == [True, [], [False, False, False]]


def test_those_to_keep_are_kept() -> None:
    """Killing all children but one leaves that one alone."""
    told = evaluate(
        FAMILY
        + """
kept, other = started("sleep", "60"), started("sleep", "60")
linux.kill_children(keep=[kept.pid])
left = linux.children(os.getpid()) == [kept.pid], dead(kept.pid)
linux.kill_children()
print(json.dumps([*left, linux.children(os.getpid())]))
"""
    )
    assert told == [True, False, []]


def test_descendants_are_ended() -> None:
    """A process's children go with theirs, deep as they may be; the process itself stays."""
    told = evaluate(
        FAMILY
        + """
linux.become_subreaper()
parent = started("sh", "-c", 'sh -c "$1" & echo $!; wait; exec sleep 60', "sh", child)
pids = [int(parent.stdout.readline()) for _ in range(3)]
linux.kill_descendants(parent.pid)
ended = [soon(lambda: dead(pid)) for pid in pids]
lives = not dead(parent.pid)
linux.kill_children()
print(json.dumps([ended, lives]))
"""
    )
    assert told == [[True, True, True], True]


def test_orphans_are_reaped_and_others_left() -> None:
    """Ended children are reaped, but not the one that somebody else waits for."""
    told = evaluate(
        FAMILY
        + """
others = [started("true") for _ in range(3)]
assert soon(lambda: all(dead(p.pid) for p in others))
linux.reap_orphans(keep=0)
gone = linux.children(os.getpid())
kept = started("sh", "-c", "exit 7")
assert soon(lambda: dead(kept.pid))
linux.reap_orphans(keep=kept.pid)
there = linux.children(os.getpid()) == [kept.pid]
status = kept.wait()
linux.reap_orphans(keep=0)
print(json.dumps([gone, there, status]))
"""
    )
    assert told == [[], True, 7]


def test_a_child_dies_with_its_parent() -> None:
    """When the process that started it is killed, the kernel kills the child."""
    code = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", f'''
import time
from modulehost.shared import linux
linux.die_with_parent({os.getpid()})
print("ready", flush=True)
time.sleep(60)
'''], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert alive(child)
        parent.send_signal(signal.SIGKILL)
        wait_until(lambda: not alive(child), "the child has ended")


def test_a_child_whose_parent_has_gone_ends_at_once() -> None:
    """It is not left over when its parent died before it could say so."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from modulehost.shared import linux; linux.die_with_parent(1 << 22); print(1)",
        ],
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, b"")


def test_what_cannot_be_killed_is_given_up() -> None:
    """Another user's child, to which the kernel lets nobody send a signal: told, not waited for."""
    told = evaluate(
        FAMILY
        + refusing("kill", error=errno.EPERM)
        + """
child = started("sleep", "20")
given_up = linux.kill_children()
signal.pidfd_send_signal(os.pidfd_open(child.pid), signal.SIGKILL)
print(json.dumps([given_up == [child.pid], linux.kill_children()]))
"""
    )
    assert told == [True, []]


def test_pages_that_can_be_had_again_are_given_back() -> None:
    """The files of Python leave the process, which goes on as before."""
    told = evaluate(
        """
import json
from modulehost.shared import linux

with open("/proc/self/status") as file:
    before = next(int(line.split()[1]) for line in file if line.startswith("RssFile"))
linux.give_pages_back()
with open("/proc/self/status") as file:
    after = next(int(line.split()[1]) for line in file if line.startswith("RssFile"))
import decimal, email.message, sqlite3
print(json.dumps([before, after, str(decimal.Decimal(1) / 3)]))
"""
    )
    before, after, third = told
    assert after < 0.7 * before
    assert third.startswith("0.333")
