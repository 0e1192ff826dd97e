"""Hooks that fail, and hooks that leave what cannot be kept."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.faults import (
    PROMPT,
    asking,
    calling,
    given,
    prompt_health,
    tell,
    uninstalls_with,
    wait_for_file,
)
from support.host import Host, StartHost, running

HALF = {"install": 1, "half": "done"}

RAISED = {
    "ModuleError": "the database refuses us",
    "ValueError": "ValueError: replicas is negative",
    "no text": "ValueError",
    "several lines": "ValueError: first second [31m third",
    "long": "ValueError: " + "x" * 987 + "…",
    "UnprintableError": "UnprintableError",
    "KeyboardInterrupt": "KeyboardInterrupt: Ctrl-C",
    "SystemExit": "SystemExit: 3",
    "GeneratorExit": "GeneratorExit: closed",
    "BaseException": "Rude: of no known kind",
    "Cancelled": "nobody asked for it",
    "lone surrogate": "ValueError: is no text",
}


@pytest.fixture(scope="module")
def raising_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """One host for all that can be raised: it must not matter what came before."""
    with running(tmp_path_factory.mktemp("raises"), "raises") as host:
        yield host


@pytest.mark.parametrize("what", RAISED)
def test_what_a_hook_raises_is_the_reason(raising_host: Host, what: str) -> None:
    """400 with what was raised, its type in front; uninstall gets the metadata as it was left."""
    reply = raising_host.call("install", {"raise": what})
    assert (reply.status, reply.text) == (400, f"{RAISED[what]}\n")
    assert reply.headers["Content-Type"] == "text/plain; charset=utf-8"
    prompt_health(raising_host)
    uninstalls_with(raising_host, HALF, sent={"raise": what})


@pytest.mark.parametrize("status", [0, 3, 4])
def test_sys_exit_in_a_hook_ends_nothing(start_host: StartHost, status: int) -> None:
    """SystemExit is a failure like any other: front and arbiter stay, whatever the status."""
    host = start_host("exits", EXIT_STATUS=status)
    host.wait_for("plugin loaded")
    before = host.arbiter, host.front
    reply = host.call("install", {})
    assert (reply.status, reply.text) == (400, f"SystemExit: {status}\n")
    prompt_health(host)
    uninstalls_with(host, HALF)
    assert (host.arbiter, host.front) == before


def test_a_bug_is_logged_with_its_traceback_and_an_expected_failure_without(
    start_host: StartHost,
) -> None:
    """The log of a ValueError has a traceback that ends in the plugin, ModuleError's has none."""
    host = start_host("raises", RAISES="ValueError")
    host.call("install", {})
    trace = host.wait_for("install raised")["exception"]
    assert "raises.py" in trace
    assert "modulehost/runner/loop.py" not in trace
    other = start_host("raises", RAISES="ModuleError")
    other.call("install", {})
    assert other.wait_for("operation finished")["reason"] == RAISED["ModuleError"]
    assert not other.events("install raised")


def test_a_failed_operation_replaces_the_plugin_s_process(start_host: StartHost) -> None:
    """No state that a failure has poisoned is used again."""
    host = start_host("raises", RAISES="ValueError")
    host.wait_for("plugin loaded")
    runner = host.runner
    host.call("install", {})
    host.wait_for("plugin loaded", 2)
    assert host.runner != runner


def test_a_hook_that_returns_something_fails(start_host: StartHost) -> None:
    """A value that is returned would be lost: the reason says what to do instead."""
    host = start_host("returns_value")
    reply = host.call("install", {})
    assert reply.status == 400
    assert reply.text == (
        "the hook install of plugin 'returns_value' of test-returns-value 1.0 returned dict, not"
        " None; change the metadata in place instead\n"
    )
    prompt_health(host)
    uninstalls_with(host, {"install": 1})


JSON_HAS_NO_SUCH = "which is not JSON; store text, numbers, booleans, None, lists and dicts"
REFUSED = {
    "nan": 'metadata["a"][1] is NaN or infinite, which JSON has no form for',
    "infinity": 'metadata["a"]["b"] is NaN or infinite, which JSON has no form for',
    "a great integer": (
        'metadata["a"] is an integer beyond 2^53, which would lose digits; store a string'
    ),
    "a lone surrogate": 'metadata["a"][0] holds a lone surrogate, which is no text',
    "a lone surrogate as a key": 'metadata["a"] holds a lone surrogate, which is no text',
    "a key that is no text": (
        'metadata["a"]: the key 1 is of type int; JSON\'s are strings'
    ),
    "keys of several types": (
        'metadata["a"]: the key 2 is of type int; JSON\'s are strings'
    ),
    "bytes": f'metadata["a"] is of type bytes, {JSON_HAS_NO_SUCH}',
    "a set": f'metadata["a"] is of type set, {JSON_HAS_NO_SUCH}',
    "an object": f'metadata["a"] is of type object, {JSON_HAS_NO_SUCH}',
    "itself": 'metadata["a"]["again"] contains itself',
    "something deep": 'metadata["a"][0][0]… is nested more than 200 levels deep',
    "something huge": (
        "metadata is 204835 bytes as the operator stores it, more than the 196608 bytes of"
        " MODULE_MAX_METADATA; store names, not contents"
    ),
    "something that grows in Go": (
        "metadata is 245795 bytes as the operator stores it, more than the 196608 bytes of"
        " MODULE_MAX_METADATA; store names, not contents"
    ),
}  # fmt: skip
KEPT = {
    # what a later hook is given instead of a: the whole, as far as JSON or Python has a form
    "a great integer": 2**53 + 1,
    "a lone surrogate": ["\ud800"],
    "a lone surrogate as a key": {"\udfff": 1},
    "a key that is no text": {"1": "one"},
    "keys of several types": {"one": 1, "2": "two"},
    "infinity": {"b": float("-inf")},
    "bytes": "b'bytes'",
    "a set": "{1}",
    "something huge": "x" * (200 << 10),
    "something that grows in Go": "<" * (40 << 10),
}


@pytest.fixture(scope="module")
def leaving_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """One host for all that can be left behind."""
    with running(tmp_path_factory.mktemp("leaves"), "leaves_bad_metadata") as host:
        yield host


@pytest.mark.parametrize("what", REFUSED)
def test_metadata_that_cannot_be_kept_fails_with_its_path(leaving_host: Host, what: str) -> None:
    """400 that says where; the plugin's uninstall sees it all the same, whole if possible."""
    reply = leaving_host.call("install", {"leave": what})
    assert (reply.status, reply.text) == (400, f"install left {REFUSED[what]}\n")
    prompt_health(leaving_host)
    assert leaving_host.call("uninstall", {"leave": what}).status == 204
    metadata = given(leaving_host)[-1][1]
    assert metadata["install"] == 1
    if what in KEPT:
        assert metadata == {"install": 1, "good": "value", "a": KEPT[what]}


@pytest.mark.parametrize("plugin", ["leaves_nan", "leaves_huge"])
@pytest.mark.parametrize("operation", ["install", "sleep", "resume"])
def test_no_operation_may_leave_what_cannot_be_kept(
    start_host: StartHost, plugin: str, operation: str
) -> None:
    """400 from each of the three that answer with their metadata."""
    host = start_host(plugin, MISBEHAVE_IN=operation)
    reply = host.call(operation, {"sent": True})
    assert reply.status == 400
    assert reply.text.startswith(f"{operation} left metadata")
    assert host.call("uninstall", {"sent": True}).status == 204
    assert given(host)[-1][1].keys() >= {"sent", operation}


@pytest.mark.parametrize("plugin", ["leaves_nan", "leaves_huge"])
def test_uninstall_may_leave_anything(start_host: StartHost, plugin: str) -> None:
    """204 has no body, and a refused uninstall would leak the pod."""
    host = start_host(plugin, MISBEHAVE_IN="uninstall")
    reply = host.call("uninstall", {"some": "thing"})
    assert (reply.status, reply.body) == (204, b"")
    assert host.call("install", {}).json == {"install": 1}


@pytest.mark.parametrize("operation", ["uninstall", "sleep", "resume"])
def test_every_operation_may_fail(start_host: StartHost, operation: str) -> None:
    """What the other hooks raise is answered as install's is, and the next call gets their rest."""
    host = start_host("raises", RAISES="ModuleError", MISBEHAVE_IN=operation)
    reply = host.call(operation, {"sent": True})
    assert (reply.status, reply.text) == (400, "the database refuses us\n")
    prompt_health(host)
    assert host.call("install", {"sent": True}).status == 201
    assert given(host)[-1] == ("install", {"sent": True, operation: 1, "half": "done"})


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("raise", "2 of 3 replicas are down"),
        ("exit", "SystemExit: 3"),
        ("false", "the plugin says that the module is not healthy"),
        ("odd", "the hook health returned str, not a bool"),
    ],
)
def test_a_health_hook_that_is_not_content_means_503(
    start_host: StartHost, how: str, message: str
) -> None:
    """503 with the reason; operations go on."""
    host = start_host("unwell", UNWELL=how)
    reply = host.health()
    assert (reply.status, reply.json["healthy"], reply.json["message"]) == (503, False, message)
    assert host.call("install", {}).status == 201


def test_a_health_hook_that_hangs_holds_up_nothing(start_host: StartHost) -> None:
    """Unanswered within five seconds is 503; an operation runs meanwhile; then all is new."""
    host = start_host("hangs_in_health", MISBEHAVE_IN="")
    host.wait_for("plugin loaded")
    runner = host.runner
    reply = host.health()
    assert reply.status == 503
    assert reply.json["message"] == "the health hook did not answer within 5 s"
    host.wait_for("plugin loaded", 2)
    assert host.runner != runner
    assert host.call("install", {}).json == {"install": 1}


def test_a_health_hook_that_hangs_does_not_hide_an_operation(start_host: StartHost) -> None:
    """Whoever asks, before the operation began or during it, is told of it within a second."""
    host = start_host("hangs_in_health")
    host.wait_for("plugin loaded")
    early = asking(host)
    wait_for_file(host, "asked")
    install = calling(host, "install", {})
    wait_for_file(host, "misbehaving")
    for reply in (early.result(PROMPT), prompt_health(host), prompt_health(host)):
        assert reply.status == 200
        assert reply.json["message"].startswith("install running for ")
    tell(host, "go")
    assert install.result().status == 201


def test_a_health_hook_that_dies_is_not_healthy(start_host: StartHost) -> None:
    """The question that killed it is answered 503 at once, and the next operation is served."""
    host = start_host("dies_in_health")
    host.wait_for("plugin loaded")
    reply = prompt_health(host)
    assert reply.status == 503
    assert reply.json["message"] == "the plugin's process died: exit status 3"
    host.wait_for("plugin loaded", 2)
    assert host.call("install", {}).json == {"install": 1}
