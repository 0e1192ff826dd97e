"""Plugins whose classes lie, and plugins that break the interpreter which they share with us."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.faults import given, prompt_health, uninstalls_with
from support.host import Host, StartHost, running

HALF = {"install": 1, "half": "done"}
NOT_JSON = "which is not JSON; store text, numbers, booleans, None, lists and dicts"

RAISED = {
    "no module": "Made: by exec",
    "refuses": "RefusesError",
    "pretends": "PretendsError: to be expected",
    "no trace": "HasNoTraceError: nor cause",
    "odd text": "SaysOddError: odd words",
    "odd name": "Odd: words",
    "rude": "RudeError: but it speaks",
    "group": "ExceptionGroup: several (2 sub-exceptions)",
    "dies of it": "the plugin's process died during install: exit status 7",
}

KEPT = {
    "dict": {"b": 1},
    "list": [1, "two"],
    "text": "words",
    "integer": 7,
    "float": 0.5,
    "key": {"key": 1, "l": 2},
}

REFUSED = {"unreadable": "Unreadable", "disguised": "Disguised", "nameless": "Nameless"}

LEFT_BEHIND = [
    "no imports",
    "low limit",
    "low limit by thread",
    "traced",
    "profiled",
    "slow switches",
    "no streams",
    "broken modules",
    "broken builtins",
]

FAILS_ITSELF = {
    "low limit by thread": "RecursionError: ",
    "profiled": "SystemExit: a method of a plugin's class was called",
}


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """One host for all: it must not matter what came before."""
    with running(tmp_path_factory.mktemp("lies"), "lies") as host:
        yield host


@pytest.mark.parametrize("what", RAISED)
def test_an_exception_that_lies_is_described_and_what_was_written_is_kept(
    host: Host, what: str
) -> None:
    """Its real type and its text, where it has one; uninstall is given what the hook had left."""
    reply = host.call("install", {"do": what})
    assert (reply.status, reply.text) == (400, f"{RAISED[what]}\n")
    prompt_health(host)
    uninstalls_with(host, HALF, sent={"do": what})


@pytest.mark.parametrize("what", KEPT)
def test_a_value_is_what_it_holds_whatever_its_class_says(host: Host, what: str) -> None:
    """Heirs of JSON's types are stored as those, without their methods."""
    reply = host.call("install", {"do": what})
    assert reply.status == 201, reply.text
    assert reply.json == {**HALF, "a": KEPT[what]}
    assert host.call("uninstall", reply.json).status == 204


@pytest.mark.parametrize("what", REFUSED)
def test_an_object_that_lies_is_refused_with_its_path(host: Host, what: str) -> None:
    """By its real type; the rest of the metadata is kept."""
    reply = host.call("install", {"do": what})
    reason = f'install left metadata["a"] is of type {REFUSED[what]}, {NOT_JSON}\n'
    assert (reply.status, reply.text) == (400, reason)
    assert host.call("uninstall", {"do": what}).status == 204
    metadata = given(host)[-1][1]
    assert metadata.pop("a").startswith("<")
    assert metadata == HALF


@pytest.mark.parametrize("what", LEFT_BEHIND)
def test_a_broken_interpreter_loses_nothing(host: Host, what: str) -> None:
    """The hook has returned, or fails by itself; what it wrote is kept, and the next one runs."""
    reply = host.call("install", {"do": what})
    if reply.status != 201:  # these fail in the hook itself
        assert reply.status == 400
        assert reply.text.startswith(FAILS_ITSELF[what])
    prompt_health(host)
    uninstalls_with(host, {**HALF, "a": "value"}, sent={"do": what})


@pytest.mark.parametrize("what", ["no imports", "broken modules", "broken builtins"])
def test_what_is_no_json_is_kept_whatever_is_broken(host: Host, what: str) -> None:
    """Although nothing can be imported any more, or the module json was patched."""
    sent = {"do": what, "number": "nan"}
    reply = host.call("install", sent)
    assert (reply.status, reply.text) == (
        400,
        'install left metadata["number"] is NaN or infinite, which JSON has no form for\n',
    )
    assert host.call("uninstall", sent).status == 204
    metadata = given(host)[-1][1]
    assert repr(metadata.pop("number")) == "nan"
    assert metadata == {**HALF, "a": "value"}


@pytest.mark.parametrize("what", LEFT_BEHIND)
def test_a_hook_that_breaks_the_interpreter_and_raises_has_its_reason_told(
    host: Host, what: str
) -> None:
    """With its type and text."""
    sent = {"do": f"{what}, then raises"}
    reply = host.call("install", sent)
    assert reply.status == 400
    assert reply.text.startswith(FAILS_ITSELF.get(what, "ValueError: and this, too")), reply.text
    uninstalls_with(host, HALF, sent=sent)


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        ("import", "importing lies_elsewhere failed: {} (lies_elsewhere.py, line "),
        ("init", "lies_elsewhere:Manager() failed: {} (lies_elsewhere.py, line "),
        ("permissions", "lies_elsewhere:Manager is no plugin: {} (lies_elsewhere.py, line "),
    ],
    ids=["import", "init", "permissions"],
)
@pytest.mark.parametrize("what", ["refuses", "no module", "rude", "no trace"])
def test_what_is_raised_while_a_plugin_loads_is_described(
    start_host: StartHost, where: str, reason: str, what: str
) -> None:
    """With file and line where the exception still knows them; the next call tries again."""
    host = start_elsewhere(start_host, where, LIES_WITH=what)
    if what == "no trace":
        reason = reason.removesuffix(" (lies_elsewhere.py, line ")
    for _ in range(2):
        reply = host.call("install", {})
        assert reply.status == 400
        assert reason.format(RAISED[what]) in reply.text
    assert host.health().status == 503


def start_elsewhere(start_host: StartHost, where: str, **settings: object) -> Host:
    """A host with the plugin that lies in its import, config or health."""
    environ = {"MODULE_PLUGIN": "lies_elsewhere", "LIES_IN": where, **settings}
    return start_host("lies_elsewhere", "lies", **environ)


@pytest.mark.parametrize(
    ("where", "reason"),
    [("config", "config: RefusesError\n"), ("config exits", "config: SystemExit: 3\n")],
)
def test_what_a_config_raises_is_described(start_host: StartHost, where: str, reason: str) -> None:
    """The hook is not called, and the process of the plugin stays."""
    host = start_elsewhere(start_host, where)
    for _ in range(2):
        reply = host.call("install", {})
        assert (reply.status, reply.text) == (400, reason)
    assert given(host) == []
    assert len(host.events("plugin loaded")) == 1


def test_a_config_that_forks_has_its_hook_called_once(start_host: StartHost) -> None:
    """The other process ends where it would come back to the host's code."""
    host = start_elsewhere(start_host, "config forks")
    for number in range(1, 4):
        assert host.call("install", {"install": number}).json == {"install": number + 1}
    assert len(given(host)) == 3


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("health", "RefusesError"),
        ("health breaks", "Service is running"),
        ("health returns", "the hook health returned Nameless, not a bool"),
    ],
)
def test_health_goes_on_being_answered(start_host: StartHost, where: str, message: str) -> None:
    """Whatever its hook does; and operations go on, too."""
    host = start_elsewhere(start_host, where)
    host.wait_for("plugin loaded")
    for _ in range(3):
        assert prompt_health(host).json["message"] == message
    assert host.call("install", {}).json == {"install": 1}
    assert prompt_health(host).json["message"] == message


@pytest.mark.parametrize("where", ["import breaks", "attribute"])
def test_an_odd_import_is_no_obstacle(start_host: StartHost, where: str) -> None:
    """A limit left low, an attribute that ends the process: the plugin is served."""
    host = start_elsewhere(start_host, where)
    assert host.call("install", {}).json == {"install": 1}
    assert prompt_health(host).status == 200
