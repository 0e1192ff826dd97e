"""Any story at all: whatever happens, a plugin is given what it last left, or what was edited."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from support.faults import given, gone
from support.host import Host, StartHost
from support.processes import wait_until

from modulehost.keeper.keeper import STEADY
from modulehost.shared.records import OPERATIONS, OperationName
from modulehost.testing import Operator, go_json, read_go_json

pytestmark = pytest.mark.slow


numbers = st.one_of(
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False, width=64),
)
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
payloads = st.dictionaries(st.text(max_size=5), values, max_size=3)

ENDS = ("return", "empty", "nan", "raise", "exit", "die")
KILLED = ("runner", "front", "arbiter", "client")
LOSSES: tuple[dict[str, bool], ...] = ({}, {}, {"loses_answer": True}, {"cannot_store": True})


class Life(RuleBasedStateMachine):
    """The life of a module, as bad as it can be."""

    host: ClassVar[Host]
    arbiter_died: ClassVar[float] = 0

    def __init__(self) -> None:
        super().__init__()
        self.number = 0
        self.begin()

    def begin(self) -> None:
        """A new Module object on a host that knows of none."""
        self.operator = Operator(self.host.port)
        self.left: dict[str, Any] = {}
        self.last: OperationName | None = None

    def teardown(self) -> None:
        """Have the host forget the module."""
        self.operator.close()
        self.order({}, "return")
        assert self.host.call("uninstall", {"end": self.number}).status == 204

    def order(self, leave: dict[str, Any], then: str) -> None:
        """Tell the plugin what to do next."""
        (self.host.folder / "orders").write_text(json.dumps({"leave": leave, "then": then}))

    def leave(self, payload: dict[str, Any], how: str) -> dict[str, Any]:
        """The metadata that the plugin shall leave: never twice the same."""
        self.number += 1
        if how == "empty":
            return {}
        return {**payload, "number": self.number, **({"nan": float("nan")} if how == "nan" else {})}

    def was_given(self, operation: OperationName) -> None:
        """The hook was entered, and given what was expected."""
        called, metadata = given(self.host)[-1]
        assert called == operation
        assert same(metadata, self.left), f"given {metadata}, not {self.left}"

    def could_be(self, operation: OperationName) -> bool:
        """Whether the operator would call that: no success is repeated that it does not know of."""
        return operation != self.last

    @rule(
        operation=st.sampled_from(OPERATIONS),
        payload=payloads,
        how=st.sampled_from(ENDS),
        losses=st.sampled_from(LOSSES),
    )
    def call(
        self, operation: OperationName, payload: dict[str, Any], how: str, losses: dict[str, bool]
    ) -> None:
        """A call that ends by itself, well or badly."""
        if not self.could_be(operation):
            return
        leave = self.leave(payload, how)
        self.order(leave, "return" if how in ("empty", "nan") else how)
        outcome = self.operator.call(operation, **losses)
        note(f"{operation} {how} {losses}: {outcome}")
        wait_until(lambda: "running for" not in self.message(), "the operation has ended")
        self.was_given(operation)
        self.left = leave
        has_succeeded = how in ("return", "empty") or (how == "nan" and operation == "uninstall")
        if not losses.get("loses_answer"):
            assert outcome.succeeded == has_succeeded
        self.last = operation if has_succeeded and not outcome.stored else None
        if has_succeeded and operation == "uninstall":
            self.operator.close()
            self.begin()

    @rule(operation=st.sampled_from(OPERATIONS), payload=payloads, victim=st.sampled_from(KILLED))
    def call_and_kill(self, operation: OperationName, payload: dict[str, Any], victim: str) -> None:
        """A call in the middle of which somebody dies."""
        if not self.could_be(operation) or (operation, victim) == ("uninstall", "client"):
            return
        leave = self.leave(payload, "wait")
        self.order(leave, "wait")
        self.operator.close()
        if victim == "client":
            thread = threading.Thread(target=self.hang_up, args=(operation,))
        else:
            thread = threading.Thread(target=self.operator.call, args=(operation,))
        thread.start()
        waiting = self.host.folder / "waiting"
        wait_until(waiting.exists, "the plugin waits")
        waiting.unlink()
        if victim == "client":
            (self.host.folder / "hang up").touch()
        else:
            self.strike(victim)
        thread.join()
        wait_until(lambda: "running for" not in self.message(), "the operation has ended")
        self.was_given(operation)
        self.left = leave
        self.last = None

    def strike(self, victim: str) -> None:
        """Kill one of the processes, and wait until those that go with it are gone."""
        if victim == "arbiter":
            # the keeper takes three early ends in a row for a host that cannot start
            if time.monotonic() - Life.arbiter_died < STEADY + 1:
                victim = "front"
            else:
                Life.arbiter_died = time.monotonic()
        pid, front = getattr(self.host, victim), self.host.front
        os.kill(pid, signal.SIGKILL)
        gone(pid)
        if victim == "arbiter":
            gone(front)
        # a runner that was being started holds the front's sockets until it has executed
        self.operator.close()

    def hang_up(self, operation: OperationName) -> None:
        """Call, and hang up when the plugin waits."""
        path = self.host.folder / "hang up"
        body = self.operator.annotation.encode()
        with self.host.connect() as client:
            client.sendall(
                b"POST /%b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b"
                % (operation.encode(), len(body), body)
            )
            wait_until(path.exists, "it is time to hang up")
        path.unlink()

    @rule(payload=payloads)
    def edit(self, payload: dict[str, Any]) -> None:
        """Somebody edits the annotation."""
        self.left = self.leave(payload, "return")
        self.operator.edit(self.left)
        self.last = None

    @rule(victim=st.sampled_from(("runner", "front", "arbiter")))
    def kill(self, victim: str) -> None:
        """Somebody dies while nothing runs."""
        self.operator.close()
        wait_until(lambda: self.host.health().status == 200, "the host is awake and well")
        self.strike(victim)

    @precondition(lambda self: self.number)
    @rule()
    def sleep(self) -> None:
        """The host falls asleep."""
        self.operator.close()
        wait_until(self.host.is_asleep, "the host is asleep")

    def message(self) -> str:
        """What the health says."""
        text = self.host.health().json["message"]
        assert isinstance(text, str)
        return text


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether they are the same to Go, or to Python where one of them holds NaN."""
    if "nan" in one or "nan" in other:
        return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    return read_go_json(go_json(one).encode()) == read_go_json(go_json(other).encode())


def test_whatever_happens_a_plugin_is_given_what_it_left(
    start_host: StartHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random operations, faults and losses against one real host."""
    monkeypatch.setattr(Life, "host", start_host("obeys", MODULE_IDLE=0.3), raising=False)
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=12,
            stateful_step_count=12,
            deadline=None,
            phases=(Phase.generate,),  # to shrink a failure would take minutes
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
