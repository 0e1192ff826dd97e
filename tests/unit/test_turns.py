"""Whose turn it is: one operation runs, four wait, uninstall goes first."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.processes import wait_until
from support.properties import tried_less

from modulehost.front.turns import MAX_WAITING, Turn, Turns
from modulehost.shared.errors import HostError
from modulehost.shared.records import OperationName

SOON = 10.0


class Queue:
    """A queue, with a thread for each operation that wants its turn."""

    def __init__(self) -> None:
        self.turns = Turns()
        self._futures: list[Future[Turn]] = []

    def take(self, operation: OperationName, client: int | None = None) -> Future[Turn]:
        """Want a turn; returns once it runs, waits or was refused."""
        future: Future[Turn] = Future()
        self._futures.append(future)

        def work() -> None:
            try:
                future.set_result(self.turns.take(operation, client))
            except HostError as error:
                future.set_exception(error)

        before = [*self.turns._waiting]
        threading.Thread(target=work, daemon=True).start()
        wait_until(
            lambda: future.done() or any(turn not in before for turn in self.turns._waiting),
            f"{operation} runs, waits or is refused",
        )
        return future

    def release(self) -> None:
        """The operation that runs ends, once its thread knows that it has begun."""
        turn = self.turns.running
        assert turn is not None
        wait_until(lambda: any(_is_turn(future, turn) for future in self._futures), "it has begun")
        self.turns.release(turn)


def _is_turn(future: Future[Turn], turn: Turn) -> bool:
    return future.done() and future.exception() is None and future.result() is turn


@pytest.fixture
def queue() -> Iterator[Queue]:
    """An empty queue; at its end nobody is left waiting."""
    queue = Queue()
    yield queue
    queue.turns.close("the test is over")
    if queue.turns.running is not None:
        queue.release()


@pytest.fixture
def sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A host's end of a client's connection, and the client's."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def refusal(future: Future[Turn]) -> str:
    """The reason for which somebody was sent away."""
    with pytest.raises(HostError) as caught:
        future.result(SOON)
    return str(caught.value)


class TestOrder:
    """Who is next."""

    def test_the_first_runs_at_once(self, queue: Queue) -> None:
        """Where nothing runs nobody waits."""
        before = time.monotonic()
        turn = queue.take("install").result(SOON)
        assert queue.turns.running is turn
        assert before <= turn.started <= time.monotonic()
        assert not queue.turns.is_idle()

    def test_the_others_follow_in_order(self, queue: Queue) -> None:
        """Whoever came first goes first, each when the one before has ended."""
        operations: list[OperationName] = ["install", "sleep", "resume", "sleep", "install"]
        futures = [queue.take(operation) for operation in operations]
        for number, future in enumerate(futures):
            assert queue.turns.running is future.result(SOON)
            assert [other.done() for other in futures[number + 1 :]] == [False] * (4 - number)
            queue.release()
        assert queue.turns.is_idle()

    def test_a_turn_starts_when_it_is_its_turn(self, queue: Queue) -> None:
        """The time that an operation has had to wait does not count towards its deadline."""
        queue.take("install")
        waiting = queue.take("sleep")
        released = time.monotonic()
        queue.release()
        assert waiting.result(SOON).started >= released

    def test_four_wait_and_the_fifth_is_refused(self, queue: Queue) -> None:
        """One runs, four wait, the next is told what runs."""
        running = queue.take("resume")
        waiting = [queue.take("sleep") for _ in range(4)]
        assert MAX_WAITING == 4
        assert refusal(queue.take("sleep")) == "busy: resume is running"
        assert running.result(SOON).cancelled is None
        queue.release()
        assert queue.turns.running is waiting[0].result(SOON)
        queue.take("resume")
        assert refusal(queue.take("install")) == "busy: sleep is running"

    def test_releasing_twice_is_releasing_once(self, queue: Queue) -> None:
        """A turn that was given back already does not give back that of the next."""
        first = queue.take("install").result(SOON)
        second = queue.take("sleep")
        queue.turns.release(first)
        queue.turns.release(first)
        assert queue.turns.running is second.result(SOON)


class TestUninstall:
    """Uninstall goes first."""

    def test_it_cancels_what_runs(self, queue: Queue) -> None:
        """The running operation is asked to stop and runs on until it does."""
        install = queue.take("install").result(SOON)
        uninstall = queue.take("uninstall")
        assert install.cancelled == "uninstall was called"
        assert not uninstall.done()
        queue.release()
        assert queue.turns.running is uninstall.result(SOON)

    def test_it_wakes_who_attends_the_running_one(self, queue: Queue) -> None:
        """Whoever waits with the running operation looks around at once."""
        install = queue.take("install").result(SOON)
        queue.take("uninstall")
        before = time.monotonic()
        install.wait(SOON)
        assert time.monotonic() < before + SOON

    def test_it_goes_next_however_many_wait(self, queue: Queue) -> None:
        """Those who wait give way and are told why."""
        queue.take("install")
        operations: list[OperationName] = ["sleep", "resume", "sleep", "install"]
        waiting = [queue.take(operation) for operation in operations]
        uninstall = queue.take("uninstall")
        for operation, future in zip(operations, waiting, strict=True):
            assert refusal(future) == f"{operation} gave way to uninstall"
        queue.release()
        assert queue.turns.running is uninstall.result(SOON)

    def test_who_comes_later_waits_behind_it(self, queue: Queue) -> None:
        """An install that is called after an uninstall is not hurt by it."""
        queue.take("sleep")
        uninstall = queue.take("uninstall")
        install = queue.take("install")
        queue.release()
        assert queue.turns.running is uninstall.result(SOON)
        queue.release()
        assert queue.turns.running is install.result(SOON)
        assert install.result().cancelled is None

    def test_a_second_one_waits(self, queue: Queue) -> None:
        """An uninstall neither cancels nor displaces another one."""
        first = queue.take("uninstall").result(SOON)
        second = queue.take("uninstall")
        third = queue.take("uninstall")
        assert first.cancelled is None
        queue.release()
        assert queue.turns.running is second.result(SOON)
        queue.release()
        assert queue.turns.running is third.result(SOON)

    def test_a_second_one_sends_away_who_waits(self, queue: Queue) -> None:
        """The others give way to it all the same."""
        queue.take("uninstall")
        install = queue.take("install")
        second = queue.take("uninstall")
        assert refusal(install) == "install gave way to uninstall"
        queue.release()
        assert queue.turns.running is second.result(SOON)


class TestClients:
    """Clients that hang up."""

    @pytest.mark.parametrize("operation", ["install", "sleep", "resume"])
    def test_who_hangs_up_loses_its_place(
        self, queue: Queue, operation: OperationName, sockets: tuple[socket.socket, socket.socket]
    ) -> None:
        """An operation that waits goes with its client, and the next moves up."""
        ours, theirs = sockets
        queue.take("install")
        waiting = queue.take(operation, ours.fileno())
        behind = queue.take("sleep")
        theirs.close()
        with pytest.raises(HostError, match=operation):
            waiting.result(SOON)
        queue.release()
        assert queue.turns.running is behind.result(SOON)

    def test_half_a_hang_up_is_one(
        self, queue: Queue, sockets: tuple[socket.socket, socket.socket]
    ) -> None:
        """A client that says it will send nothing more looks the same as one that has gone."""
        ours, theirs = sockets
        queue.take("install")
        waiting = queue.take("sleep", ours.fileno())
        theirs.shutdown(socket.SHUT_WR)
        with pytest.raises(HostError):
            waiting.result(SOON)

    def test_what_a_client_sends_is_no_hang_up(
        self, queue: Queue, sockets: tuple[socket.socket, socket.socket]
    ) -> None:
        """Bytes of a next request do not cost the place."""
        ours, theirs = sockets
        queue.take("install")
        waiting = queue.take("sleep", ours.fileno())
        theirs.sendall(b"GET /health")
        queue.release()
        assert not waiting.result(SOON).client_gone

    def test_uninstall_goes_on_without_its_client(
        self, queue: Queue, sockets: tuple[socket.socket, socket.socket]
    ) -> None:
        """An uninstall is never repeated, so it keeps its place."""
        ours, theirs = sockets
        queue.take("uninstall")
        waiting = queue.take("uninstall", ours.fileno())
        theirs.close()
        wait_until(lambda: queue.turns._waiting[0].client_gone, "the hang-up is noticed")
        queue.release()
        assert queue.turns.running is waiting.result(SOON)

    def test_a_running_operation_sees_it(
        self, queue: Queue, sockets: tuple[socket.socket, socket.socket]
    ) -> None:
        """Who attends a running operation is woken, and told once."""
        ours, theirs = sockets
        turn = queue.take("install", ours.fileno()).result(SOON)
        turn.wait(0)
        seen = [turn.client_gone]
        theirs.close()
        before = time.monotonic()
        turn.wait(SOON)
        assert time.monotonic() < before + SOON
        assert [*seen, turn.client_gone] == [False, True]
        before = time.monotonic()
        turn.wait(0.05)
        assert time.monotonic() >= before + 0.04


class TestWaiting:
    """What an operation's thread waits with."""

    def test_time_passes(self, queue: Queue) -> None:
        """Without any news a wait ends when its time is over; a time long past is none."""
        turn = queue.take("install").result(SOON)
        turn.wait(0)  # the nudge of its start
        before = time.monotonic()
        assert not turn.wait(0.05)
        assert time.monotonic() >= before + 0.04
        assert not turn.wait(-5)

    def test_others_are_told(self, queue: Queue) -> None:
        """A wait ends, and says so, when one of the other descriptors has something."""
        turn = queue.take("install").result(SOON)
        ready, silent = os.pipe(), os.pipe()
        os.write(ready[1], b"x")
        assert turn.wait(SOON, ready[0], silent[0])
        assert not turn.wait(0.01, silent[0])
        for descriptor in (*ready, *silent):
            os.close(descriptor)

    def test_the_first_reason_stays(self, queue: Queue) -> None:
        """An operation that is cancelled twice was cancelled for the first reason."""
        turn = queue.take("install").result(SOON)
        turn.cancel("the client hung up")
        turn.cancel("the host is stopping")
        assert turn.cancelled == "the client hung up"

    def test_a_nudge_after_the_end_is_harmless(self, queue: Queue) -> None:
        """Whoever comes too late to cancel hits nothing, and nobody."""
        turn = queue.take("install").result(SOON)
        queue.release()
        following = queue.take("sleep").result(SOON)
        turn.cancel("too late")
        turn.nudge()
        turn.close()
        assert following.cancelled is None

    def test_descriptors_are_given_back(self) -> None:
        """Turns that ended, were refused, or were left hold none: those to come take theirs."""
        numbers = []
        for _ in range(20):
            queue = Queue()
            futures = [queue.take("install") for _ in range(7)]
            queue.turns.close("over")
            queue.release()
            assert [future.exception(SOON) is None for future in futures] == [True] + [False] * 6
            numbers.append(len([*Path("/proc/self/fd").iterdir()]))
        assert numbers[-1] <= numbers[0] + len(futures)


class TestClose:
    """The host stops."""

    def test_who_waits_and_who_comes_is_refused(self, queue: Queue) -> None:
        """All but the running one are told; that one runs on."""
        running = queue.take("install").result(SOON)
        waiting = [queue.take("sleep"), queue.take("resume")]
        queue.turns.close("the host is stopping")
        for future in (*waiting, queue.take("uninstall")):
            assert refusal(future) == "the host is stopping"
        assert running.cancelled is None
        assert queue.turns.running is running
        queue.release()
        assert refusal(queue.take("install")) == "the host is stopping"

    def test_an_action_for_the_idle_is_only_for_them(self, queue: Queue) -> None:
        """What is to be done when nothing runs is not done while something does."""
        done: list[int] = []
        queue.turns.when_idle(lambda: done.append(1))
        queue.take("install")
        queue.turns.when_idle(lambda: done.append(2))
        queue.release()
        queue.turns.when_idle(lambda: done.append(3))
        assert done == [1, 3]

    def test_nothing_begins_before_the_action_is_done(self, queue: Queue) -> None:
        """An operation that comes while the action goes on starts after it."""
        begun: list[Any] = []
        threads = []

        def act() -> None:
            threads.append(threading.Thread(target=lambda: begun.append(queue.take("install"))))
            threads[0].start()
            threads[0].join(0.1)
            assert not begun
            assert queue.turns.is_idle()

        queue.turns.when_idle(act)
        threads[0].join(SOON)
        assert begun[0].result(SOON) is queue.turns.running

    def test_an_action_between_two_comes_before_the_next(self, queue: Queue) -> None:
        """At once when nothing runs, else at the end of what does, before the next begins."""
        seen: list[object] = []

        def look() -> None:
            seen.append(queue.turns.running)

        assert queue.turns.between(look) is None
        queue.take("install")
        following = queue.take("sleep")
        assert queue.turns.between(look) == "install"
        assert seen == [None]
        queue.release()
        assert following.result(SOON) is queue.turns.running
        queue.release()
        assert seen == [None, None]


@tried_less
@given(st.lists(st.sampled_from([*get_args(OperationName), "end", "end"]), max_size=25))
def test_the_queue_keeps_its_rules(steps: list[Any]) -> None:
    """After any calls and ends those run, wait and were refused who should."""
    queue = Queue()
    running: list[tuple[str, Future[Turn]]] = []
    for step in steps:
        if step == "end":
            if running:
                queue.release()
                del running[0]
        else:
            future = queue.take(step)
            others = running[1:]
            if step == "uninstall":
                for operation, other in others:
                    if operation != "uninstall":
                        assert refusal(other) == f"{operation} gave way to uninstall"
                running[1:] = others = [o for o in others if o[0] == "uninstall"]
                cancelled = running and running[0][0] != "uninstall"
                assert not cancelled or running[0][1].result().cancelled == "uninstall was called"
            if len(others) == MAX_WAITING:
                assert refusal(future) == f"busy: {running[0][0]} is running"
            else:
                running.append((step, future))
        if running:
            assert queue.turns.running is running[0][1].result(SOON)
        assert [future.done() for _, future in running[1:]] == [False] * len(running[1:])
        assert queue.turns.is_idle() == (not running)
    for _ in running:
        queue.release()
