"""Hooks that fork and come back in both processes: only the plugin's own process is heard."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.faults import calling, given, prompt_health, tell, uninstalls_with, wait_for_file
from support.host import Host, StartHost
from support.processes import tree, wait_until


def living(host: Host) -> list[int]:
    """The processes of the host, without those that have ended and that nobody has waited for."""
    return [pid for pid in tree(host.keeper) if not is_zombie(pid)]


def is_zombie(pid: int) -> bool:
    """Whether a process has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def alone(host: Host) -> None:
    """Wait until there is the host's own process of the plugin and no copy of it."""
    wait_until(lambda: len(living(host)) == 4, "the copies are gone")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"how": "returns"}, 0),
        ({"how": "exits"}, 0),
        ({"how": "exits", "status": 7}, 7),
        ({"how": "exits", "status": "in words"}, 1),
        ({"how": "raises"}, 1),
        ({"how": "in a thread"}, 0),
    ],
)
def test_a_copy_ends_where_the_hook_does_and_says_nothing(
    start_host: StartHost, sent: dict[str, object], status: int
) -> None:
    """The operation ends as its own process has it; the copy has the exit status of a script."""
    host = start_host("forks")
    reply = host.call("install", sent)
    assert reply.status == 201, reply.text
    rest = {k: v for k, v in sent.items() if k != "how"}
    assert reply.json == {"install": 1, **rest, "child ended with": status}
    for name in ("sleep", "resume", "sleep"):
        assert name in host.call(name, reply.json).json
    assert [name for name, _ in given(host)] == ["install", "sleep", "resume", "sleep"]
    alone(host)


def test_a_copy_that_python_has_not_noticed_says_nothing(start_host: StartHost) -> None:
    """Forked by code in C, it still has the connection to the host."""
    host = start_host("forks")
    for number in range(1, 4):
        reply = host.call("install", {"how": "unseen", "install": number})
        assert reply.json == {"install": number + 1}
    alone(host)


def test_a_copy_that_comes_back_later_does_not_answer_the_next_operation(
    start_host: StartHost,
) -> None:
    """It returns from install while sleep runs: sleep's answer is its own."""
    host = start_host("forks", MISBEHAVE_IN="install sleep")
    assert host.call("install", {"how": "outlives"}).json == {"install": 1}
    child = int(wait_for_file(host, "child"))
    tell(host, "come back")
    wait_until(lambda: is_zombie(child), "the copy has ended")
    assert host.call("sleep", {"how": "returns", "own": 1}).json == {
        "sleep": 1,
        "own": 1,
        "child ended with": 0,
    }
    host.stop()


def test_what_was_printed_before_is_written_once(start_host: StartHost) -> None:
    """And what each process prints afterwards, too."""
    host = start_host("forks")
    assert host.call("install", {"how": "prints"}).status == 201
    host.wait_for("said by the parent")
    lines = [e["event"] for e in host.events() if str(e["event"]).startswith("said ")]
    assert sorted(lines) == ["said before", "said by the child", "said by the parent"]


def test_a_copy_is_refused_what_only_the_plugin_s_process_may(start_host: StartHost) -> None:
    """Its checkpoint fails and says why; its progress is logged, and nothing more."""
    host = start_host("forks")
    reply = host.call("install", {"how": "asks"})
    assert reply.json == {"install": 1, "child ended with": 0}
    assert wait_for_file(host, "refused") == (
        "checkpoint: this process was forked by install; call it in that one"
    )


@pytest.mark.parametrize("how", ["health", "health exits"])
def test_a_health_hook_that_forks_adds_no_process(start_host: StartHost, how: str) -> None:
    """Each question has one answer, and leaves nothing behind."""
    host = start_host("forks", HOW=how)
    host.wait_for("plugin loaded")
    for _ in range(5):
        assert prompt_health(host).status == 200
    wait_until(lambda: len(living(host)) == 4, "the copies have ended")
    assert host.call("install", {"how": "returns"}).status == 201
    assert host.health().status == 200


@pytest.mark.parametrize("how", ["import", "import exits"])
def test_an_import_that_forks_makes_no_second_runner(start_host: StartHost, how: str) -> None:
    """The copy ends, and the plugin is loaded once."""
    host = start_host("forks", HOW=how)
    host.wait_for("plugin loaded")
    assert host.call("install", {"how": "returns"}).status == 201
    uninstalls_with(host, {"install": 1, "child ended with": 0}, sent={"how": "returns"})
    assert len(host.events("plugin loaded")) == 1


def test_the_operation_that_is_cancelled_is_the_plugin_s_own(start_host: StartHost) -> None:
    """While a copy goes on, the operation has ended, and the next one is not kept waiting."""
    host = start_host("forks")
    assert host.call("install", {"how": "outlives"}).status == 201
    sleep = calling(host, "sleep", {"a": 1})
    assert sleep.result(10).json == {"a": 1, "sleep": 1}
