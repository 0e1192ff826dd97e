"""Whole stories of modules, under an operator that keeps metadata as the real one does.

Each is told twice: the host stays awake, or sleeps between any two calls. Some are told once more:
it loses its server to kill -9 between any two calls.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.faults import (
    PROMPT,
    calling,
    given,
    gone,
    is_running,
    prompt_health,
    tell,
    uninstalls_with,
    wait_for_file,
)
from support.host import Host, StartHost
from support.processes import wait_until

from modulehost.testing import Operator, Outcome

THINGS = ["database", "cache", "web"]


class Story:
    """A host, and an operator that calls it; something happens to the host between two calls."""

    def __init__(self, host: Host, between: str) -> None:
        self.host = host
        self.operator = Operator(host.port)
        self._between = between

    def call(self, operation: Any, **losses: Any) -> Outcome:
        """One call of the operator; then what happens between two calls."""
        outcome = self.operator.call(operation, **losses)
        self.pause()
        return outcome

    def pause(self) -> None:
        """Let happen to the host what happens between two calls."""
        if self._between == "asleep":
            self.operator.close()
            wait_until(self.host.is_asleep, "the host is asleep")
        elif self._between == "killed":
            front = self.host.front
            os.kill(front, signal.SIGKILL)
            gone(front)
            # a runner that was being started holds the front's sockets until it has executed
            self.operator.close()

    def goes_wrong(self, what: str) -> None:
        """Have the plugin go wrong, once."""
        (self.host.folder / "fault").write_text(what)

    @property
    def given(self) -> dict[str, Any]:
        """What the last hook was given."""
        metadata = given(self.host)[-1][1]
        assert isinstance(metadata, dict)
        return metadata

    @property
    def things(self) -> list[str]:
        """The things that there are."""
        folder = self.host.folder / "things"
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


Tell = Callable[..., Story]


ASLEEP = pytest.param("asleep", marks=pytest.mark.slow)

also_killed = pytest.mark.parametrize("story", ["awake", ASLEEP, "killed"], indirect=True)


@pytest.fixture(params=["awake", ASLEEP])
def story(request: pytest.FixtureRequest, start_host: StartHost) -> Iterator[Tell]:
    """Begin a story: ``story("plugin", SETTING=...)``."""
    stories = []

    def begin(plugin: str = "builds_things", **settings: Any) -> Story:
        idle = 0.15 if request.param == "asleep" else 0
        stories.append(Story(start_host(plugin, MODULE_IDLE=idle, **settings), request.param))
        return stories[-1]

    yield begin
    for told in stories:
        told.operator.close()


@also_killed
def test_a_good_life(story: Tell) -> None:
    """Nothing goes wrong: each hook gets what the one before left, and nothing else is said."""
    told = story()
    for operation in ("install", "sleep", "resume", "sleep", "resume"):
        assert told.call(operation).succeeded
    assert told.operator.metadata == {"things": THINGS}
    assert told.call("uninstall").succeeded
    assert told.things == []
    metadata = [event["metadata"] for event in told.host.events("operation started")]
    assert metadata == ["as sent"] * 6


@also_killed
@pytest.mark.parametrize("how", ["fail", "die"])
def test_an_install_that_stops_half_way_leaves_no_orphans(story: Tell, how: str) -> None:
    """The operator throws its metadata away; uninstall gets it all the same."""
    told = story()
    told.goes_wrong(f"install {how}")
    assert not told.call("install").succeeded
    assert told.things == ["cache", "database"]
    assert told.operator.metadata == {}
    assert told.call("uninstall").succeeded
    assert told.given == {"things": ["database", "cache"]}
    assert told.things == []


def test_an_install_that_is_repeated_goes_on_where_it_stopped(story: Tell) -> None:
    """A person who calls again after a failure gets what is there."""
    told = story()
    told.goes_wrong("install fail")
    assert not told.call("install").succeeded
    assert told.call("install").succeeded
    assert told.given == {"things": ["database", "cache"]}
    assert told.operator.metadata == {"things": THINGS}
    assert told.call("uninstall").succeeded
    assert told.things == []


@pytest.mark.parametrize("loss", ["loses_answer", "cannot_store"])
def test_an_install_that_the_operator_does_not_keep_leaves_no_orphans(
    story: Tell, loss: str
) -> None:
    """The answer is lost on the way, or the cluster does not store it."""
    told = story()
    told.call("install", **{loss: True})
    assert told.operator.metadata == {}
    assert told.call("uninstall").succeeded
    assert told.given == {"things": THINGS}
    assert told.things == []


@pytest.mark.parametrize("loss", ["loses_answer", "cannot_store"])
def test_a_sleep_that_the_operator_does_not_keep_can_be_resumed(story: Tell, loss: str) -> None:
    """What sleep has remembered is there, numbers and texts as they were."""
    told = story()
    assert told.call("install").succeeded
    told.call("sleep", **{loss: True})
    assert told.operator.metadata == {"things": THINGS}
    assert told.call("resume").succeeded
    replicas = {"web": 3, "ratio": 0.1, "note": "<&> \u2028 \u00e9"}
    assert told.given == {"things": THINGS, "replicas": replicas}
    assert told.operator.metadata == {"things": THINGS}
    assert told.call("uninstall").succeeded
    assert told.things == []


@also_killed
def test_one_loss_after_the_other_loses_nothing(story: Tell) -> None:
    """Not one outcome is stored, and still each hook gets what the one before left."""
    told = story()
    told.goes_wrong("install fail")
    assert not told.call("install").succeeded
    told.call("install", loses_answer=True)
    assert told.given == {"things": ["database", "cache"]}
    told.call("sleep", cannot_store=True)
    assert told.given == {"things": THINGS}
    told.goes_wrong("resume die")
    assert not told.call("resume").succeeded
    assert told.given["replicas"]["web"] == 3
    assert told.operator.metadata == {}
    told.goes_wrong("uninstall fail")
    assert not told.call("uninstall").succeeded
    assert told.given == {"things": THINGS}
    assert told.call("uninstall").succeeded
    assert told.given == {"things": ["database"]}
    assert told.things == []


def test_metadata_that_was_emptied_stays_empty(story: Tell) -> None:
    """The operator ignores ``{}`` and sends the old metadata; the plugin does not get it back."""
    told = story()
    assert told.call("install").succeeded
    told.goes_wrong("sleep empty")
    outcome = told.call("sleep")
    assert (outcome.body, outcome.stored) == ("{}\n", False)
    assert told.operator.metadata == {"things": THINGS}
    assert told.call("uninstall").succeeded
    assert told.given == {}


def test_metadata_that_somebody_has_edited_wins(story: Tell) -> None:
    """It is what they wanted; a warning says that it is not what the plugin had left."""
    told = story()
    assert told.call("install").succeeded
    told.operator.edit({"things": [*THINGS, "gateway"]})
    assert told.call("sleep").succeeded
    assert told.given == {"things": [*THINGS, "gateway"]}
    event = told.host.events("operation started")[-1]
    assert event["level"] == "warning"
    assert event["metadata"] == "as sent: changed since the last answer"


def test_metadata_that_somebody_has_edited_after_a_failure_wins(story: Tell) -> None:
    """Even over what only the journal knows."""
    told = story()
    told.goes_wrong("install fail")
    assert not told.call("install").succeeded
    told.operator.edit({"things": ["gateway"]})
    assert told.call("uninstall").succeeded
    assert told.given == {"things": ["gateway"]}


def test_what_is_restored_is_said_in_the_log(story: Tell) -> None:
    """A person who compares the annotation with what the plugin did must find the reason."""
    told = story()
    told.call("install", cannot_store=True)
    assert told.call("sleep").succeeded
    event = told.host.events("operation started")[-1]
    assert event["level"] == "warning"
    assert event["metadata"].startswith("restored from the journal")


def test_uninstall_of_a_broken_plugin_with_nothing_to_clean_up_succeeds(story: Tell) -> None:
    """The pod must go: nothing was ever begun."""
    told = story("raises_on_import")
    assert not told.call("install").succeeded
    outcome = told.call("uninstall")
    assert (outcome.succeeded, outcome.status) == (True, 204)


def test_a_failed_uninstall_can_be_repeated_inside_the_pod(story: Tell) -> None:
    """The operator never repeats it; ``modulehost call uninstall`` goes on where it stopped."""
    told = story()
    assert told.call("install").succeeded
    told.goes_wrong("uninstall fail")
    assert not told.call("uninstall").succeeded
    assert told.operator.events == [
        "custom module uninstall endpoint returned error: half-way through\n"
    ]
    assert told.things == ["database"]
    done = subprocess.run(
        [sys.executable, "-m", "modulehost", "call", "uninstall"],
        env=told.host.environ,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "204 NO CONTENT\n"), done.stderr
    assert told.given == {"things": ["database"]}
    assert told.things == []


def test_two_modules_that_the_cluster_mixes_up_do_not_meet(story: Tell) -> None:
    """The calls of the other one are refused, by name, and change nothing."""
    told = story()
    other = Operator(told.host.port, name="other")
    assert told.call("install").succeeded
    for operation in ("install", "sleep", "uninstall"):
        outcome = other.call(operation)
        assert outcome.status == 400
        assert "this host serves the Service module.forkspacer-system" in outcome.body
        assert "other.forkspacer-system" in outcome.body
        other.close()
        told.pause()
    prompt_health(told.host)
    assert told.call("sleep").succeeded
    assert told.given == {"things": THINGS}
    assert told.call("uninstall").succeeded
    assert told.things == []
    assert other.call("install").succeeded
    other.close()


def test_only_a_host_in_the_cluster_names_a_module(start_host: StartHost) -> None:
    """Suffix, port and case do not matter; an address, localhost or nothing always passes."""
    host = start_host("good")
    same = ("shop.prod.svc", "shop.prod.svc:8080", "shop.prod.svc.cluster.local", "SHOP.prod.svc")
    others = ("blog.prod.svc", "shop.test.svc.cluster.local")
    free = ("localhost", "127.0.0.1:8080", "[::1]", "shop", "shop.example.org", "svc", "")
    assert host.request("GET", "/health", headers={"Host": others[0]}).status == 200
    assert host.call("sleep", {}, Host="localhost").status == 200
    for name in (*same, *free):
        assert host.call("resume", {}, Host=name).status == 200, name
    for name in others:
        assert host.call("uninstall", {}, Host=name).status == 400
        assert host.request("GET", "/health", headers={"Host": name}).status == 200
    assert host.call("uninstall", {}, Host=same[0]).status == 204
    assert host.call("install", {}, Host=others[0]).status == 201


def test_an_operator_that_ends_in_the_middle_of_install_leaves_no_orphans(story: Tell) -> None:
    """The operation is cancelled as its client hangs up; what it left is what uninstall gets."""
    told = story("waits", WHEN_CANCELLED="tidy", MODULE_GRACE=60)
    told.host.wait_for("plugin loaded")
    assert told.operator.call("install", hangs_up_after=1).status is None
    told.host.wait_for("operation finished")
    told.pause()
    assert told.call("uninstall").succeeded
    assert told.given == {"install": 1, "tidied": True}


def test_an_uninstall_that_cancels_install_gets_its_rest(start_host: StartHost) -> None:
    """The Module is deleted while it is still being installed."""
    host = start_host("waits", WHEN_CANCELLED="tidy", MODULE_GRACE=60)
    install = calling(host, "install", {})
    is_running(host)
    with Operator(host.port) as operator:
        assert operator.call("uninstall").succeeded
    assert install.result().status == 400
    assert given(host)[-1] == ("uninstall", {"install": 1, "tidied": True})


def test_metadata_too_large_for_the_annotation_is_not_lost(start_host: StartHost) -> None:
    """What the host lets pass may still not fit beside kubectl's copy: the journal has it."""
    host = start_host("leaves_huge", MODULE_MAX_METADATA="300KiB")
    with Operator(host.port) as operator:
        outcome = operator.call("install")
        assert (outcome.succeeded, outcome.stored) == (True, False)
        assert operator.call("uninstall").succeeded
    assert given(host)[-1] == ("uninstall", {"install": 1, "log": "x" * (1 << 18)})


def test_a_person_s_repeated_call_is_taken_as_it_comes(start_host: StartHost) -> None:
    """The same operation again, after a success that was delivered: no journal steps in."""
    host = start_host("good")
    for _ in range(2):
        assert host.call("install", {}).json == {"install": 1}
    assert {event["metadata"] for event in host.events("operation started")} == {"as sent"}


def test_what_a_host_was_given_first_is_its_module_also_without_success(
    start_host: StartHost,
) -> None:
    """A failed install pins the module, too: there may be something left of it."""
    host = start_host("raises", RAISES="ModuleError")
    with Operator(host.port, name="first") as first, Operator(host.port, name="second") as second:
        assert not first.call("install").succeeded
        assert "this host serves the Service first." in second.call("uninstall").body
        assert first.call("uninstall").succeeded
        assert second.call("uninstall").succeeded


def test_the_journal_is_for_its_owner_only(start_host: StartHost) -> None:
    """It holds what the plugin keeps, secrets perhaps: mode 0600 in a folder of mode 0700."""
    host = start_host("good")
    assert host.call("install", {}).status == 201
    assert host.state.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in host.state.iterdir()} == {0o600}
    tell(host, "done")


def test_a_late_copy_is_not_taken_for_the_next_call_s(start_host: StartHost) -> None:
    """Not even when the client gives both calls the same request id."""
    host = start_host("copies_late")
    same = {"X-Request-Id": "same"}
    assert host.call("install", {}, **same).json == {"first": True}
    sleep = calling(host, "sleep", {"first": True}, **same)
    wait_for_file(host, "misbehaving")
    tell(host, "late")
    # the runner answers after it has sent the copy, by the same way
    wait_until(lambda: host.health().json["message"] == "the hook was asked", "the copy has come")
    os.kill(host.runner, signal.SIGKILL)
    assert sleep.result(PROMPT).status == 400
    uninstalls_with(host, {"second": True}, sent={"first": True})


def test_a_late_checkpoint_is_refused(start_host: StartHost) -> None:
    """A thread that a hook has left behind cannot write over what the next operation leaves."""
    host = start_host("checkpoints_late")
    left = host.call("install", {}).json
    left = host.call("sleep", left).json
    assert left == {"install": True, "sleep": True}
    assert (host.folder / "refused").read_text() == "checkpoint: install has ended"
    uninstalls_with(host, left, sent=left)
