"""What is kept of the Modules, which plugin is theirs, and how a log is shown."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.processes import wait_until
from support.properties import tried

from modulehost.local import lines, pod, words
from modulehost.local.choice import choose, repository_of
from modulehost.local.errors import RefusedError
from modulehost.local.state import MOVING, Event, Pod, State, generated_name
from modulehost.local.store import Home, Store
from modulehost.plugin.discovery import Found

DOCUMENT = {"kind": "Module", "metadata": {"name": "shop"}, "spec": {}}


def state(**values: object) -> State:
    """A Module."""
    made = State(document=DOCUMENT, annotations={}, plugin="good", since=time.time())
    for name, value in values.items():
        setattr(made, name, value)
    return made


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty one."""
    made = Store(tmp_path)
    made.prepare()
    return made


def put(store: Store, name: str, kept: State) -> Home:
    """Keep a Module."""
    home = store.home(name)
    home.path.mkdir(mode=0o700)
    home.write(kept)
    return home


def test_a_module_is_read_as_it_was_written(store: Store) -> None:
    """With its events and its host; others are listed beside it, a run is not."""
    kept = state(annotations={"a": "1"}, pod=Pod(1, 2, "x"), message="Hello")
    kept.warn("SleepError", "Module sleep failed")
    put(store, "shop", kept)
    put(store, "blog", state())
    store.home_of_run("shop").path.mkdir()
    assert store.names() == ["blog", "shop"]
    home, found = store.find("shop")
    assert found == kept
    assert home.name == store.home_of_run("shop").name == "shop"


def test_nobody_else_may_read_it_nor_version_control(store: Store) -> None:
    """It holds the config."""
    home = put(store, "shop", state())
    for path in (store.folder, home.path, home.path / "module.json"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
    assert (store.folder / ".gitignore").read_text() == "*\n"


def test_a_module_is_replaced_whole(store: Store) -> None:
    """A reader never sees half of one, and nothing is left beside it."""
    home = put(store, "shop", state())
    for number in range(20):
        home.write(state(annotations={"x": "y" * number * 1000}))
        assert home.read() is not None
    assert [path.name for path in home.path.iterdir()] == ["module.json"]


@tried
@given(text=st.binary(max_size=40))
def test_what_is_no_module_is_told(text: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    """With what to do about it."""
    home = Home(tmp_path_factory.getbasetemp() / "broken")
    home.path.mkdir(exist_ok=True)
    (home.path / "module.json").write_bytes(text)
    with pytest.raises(RefusedError, match="is not what was written there: remove"):
        home.read()


def test_a_module_that_is_not_there_is_told(store: Store) -> None:
    """With those that are."""
    with pytest.raises(RefusedError, match=r"no Module shop in .*: make one with modulehost local"):
        store.find("shop")
    put(store, "blog", state())
    for name in ("shop", "../blog", ".gitignore", ""):
        with pytest.raises(RefusedError, match="there are blog"):
            store.find(name)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """A file is in its place."""
    (tmp_path / ".modulehost").touch()
    with pytest.raises(RefusedError, match="cannot be made: File exists; call this in a folder"):
        Store(tmp_path).prepare()
    assert Store(tmp_path).names() == []


def test_one_command_at_a_time(store: Store) -> None:
    """A second one is told to wait, and is let in afterwards."""
    home = put(store, "shop", state())
    with home.alone():
        with (
            pytest.raises(RefusedError, match="shop: another command is at work on it"),
            Home(home.path).alone(),
        ):
            pass
        home.write(state())
    with Home(home.path).alone():
        pass


def test_a_folder_that_nothing_has_come_of_is_not_left(store: Store) -> None:
    """When a Module is refused before it is one."""
    home = store.home("shop")
    with pytest.raises(RefusedError, match="no plugin"), home.alone():
        raise RefusedError("no plugin")
    assert not home.path.exists()


@pytest.mark.parametrize("phase", MOVING)
def test_a_module_that_is_stuck_has_failed(store: Store, phase: str) -> None:
    """Since the moment that its time was over, whenever somebody looks, and with an event."""
    began = time.time() - 400
    put(store, "shop", state(phase=phase, since=began))
    for _ in range(2):
        _, found = store.find("shop")
        assert (found.phase, found.since) == ("failed", began + 300)
        assert found.message == f"Timed out in {phase} phase after 5m0s"
        [event] = found.events
        assert event.reason == "PhaseTimeout"
        assert event.message == f"Module stuck in {phase} phase for 5m0s, marking as failed"


@pytest.mark.parametrize("phase", MOVING)
def test_a_module_that_is_deleted_on_its_way_hangs(store: Store, phase: str) -> None:
    """The five minutes are not looked at."""
    put(store, "shop", state(phase=phase, since=time.time() - 4000, is_deleted=True))
    _, found = store.find("shop")
    assert (found.phase, found.events) == (phase, [])


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (300.44, "5m0.44s"),
        (301.57, "5m1.57s"),
        (301.5, "5m1.5s"),
        (300, "5m0s"),
        (7.004, "7s"),
        (0.5, "500ms"),
        (0, "0s"),
        (3661, "1h1m1s"),
        (3600, "1h0m0s"),
    ],
)
def test_a_time_is_written_as_go_does(seconds: float, text: str) -> None:
    """To hundredths of a second."""
    assert words.duration(seconds) == text


def test_an_object_is_what_kubectl_would_print() -> None:
    """With the operator's annotation, the status and the events."""
    made = state(phase="failed", message="Hello", since=0.0, is_deleted=True)
    made.keep(runnerPodName="custom-manager-t7dwl")
    made.keep(innerMetaData={"n": 3.0})
    made.events.append(Event(1.0, "SleepError", "no\n"))
    assert made.metadata == {"n": 3}
    assert made.as_object() == {
        "kind": "Module",
        "metadata": {
            "name": "shop",
            "annotations": {
                "forkspacer.com/manager-data": (
                    '{"innerMetaData":{"n":3},"runnerPodName":"custom-manager-t7dwl"}'
                )
            },
            "deletionTimestamp": "1970-01-01T00:00:00Z",
        },
        "spec": {},
        "status": {
            "phase": "failed",
            "lastActivity": "1970-01-01T00:00:00Z",
            "message": "Hello",
        },
        "events": [
            {
                "type": "Warning",
                "reason": "SleepError",
                "message": "no\n",
                "lastTimestamp": "1970-01-01T00:00:01Z",
            }
        ],
    }


def test_names_are_generated_as_the_api_server_does() -> None:
    """Five letters or digits after the prefix, others each time."""
    names = {generated_name() for _ in range(50)}
    assert len(names) > 45
    assert all(re.fullmatch("custom-manager-[b-z2-9]{5}", name) for name in names)


def test_every_service_adds_seven_variables_to_a_pod() -> None:
    """As kubelet names them."""
    links = pod.service_links({"custom-manager-bpj2n": 45775, "custom-manager-t7dwl": 1})
    assert len(links) == 14
    name = "CUSTOM_MANAGER_BPJ2N"
    assert links[f"{name}_SERVICE_PORT"] == links[f"{name}_PORT_80_TCP_PORT"] == "45775"
    assert links[f"{name}_PORT"] == links[f"{name}_PORT_80_TCP"] == "tcp://127.0.0.1:45775"
    assert links[f"{name}_SERVICE_HOST"] == links[f"{name}_PORT_80_TCP_ADDR"] == "127.0.0.1"
    assert links[f"{name}_PORT_80_TCP_PROTO"] == "tcp"


@pytest.mark.parametrize("name", ["shop", "1.shop.prod", "9", f"{'x' * 250}.yz"])
def test_any_name_of_a_module_has_a_folder(store: Store, name: str) -> None:
    """For one that stays and for one that lives for one command, apart."""
    put(store, name, state())
    run = store.home_of_run(name)
    with run.alone():
        run.write(state())
    assert store.names() == [name]
    assert run.name == name
    assert run.read() is not None


@pytest.mark.parametrize("phase", ["ready", "sleeped", "deleted", "failed"])
def test_a_module_at_rest_is_never_stuck(store: Store, phase: str) -> None:
    """However long it rests; nor one that is on its way for a moment."""
    put(store, "shop", state(phase=phase, since=time.time() - 4000))
    put(store, "blog", state(phase="sleeping"))
    assert store.find("shop")[1].phase == phase
    assert store.find("blog")[1].phase == "sleeping"


def test_a_process_that_is_not_ours_is_left_alone() -> None:
    """Whatever number it has: its environment has no such mark."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        other = Pod(process.pid, 1, "mark")
        wait_until(lambda: Path(f"/proc/{process.pid}/environ").read_bytes(), "it runs")
        assert not pod.is_alive(other)
        pod.stop(other)
        assert process.poll() is None
        process.kill()
    pod.stop(Pod(process.pid, 1, "mark"))


def test_a_host_is_stopped_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """With SIGKILL when SIGTERM has not helped."""
    monkeypatch.setattr(pod, "_STOP", 0.1)
    code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True)"
    with subprocess.Popen(
        [sys.executable, "-c", f"{code}; signal.pause()"],
        env={**os.environ, "MODULEHOST_LOCAL": "mark"},
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        stubborn = Pod(process.pid, 1, "mark")
        assert pod.is_alive(stubborn)
        pod.stop(stubborn)
        assert not pod.is_alive(stubborn)


FOUND = [
    Found("shop", "shop:Manager", "my-shop", "1.0", ""),
    Found("blog", "blog:Manager", "Acme_Blog", "1.0", ""),
]


@pytest.mark.parametrize(
    ("image", "named", "wanted", "plugin"),
    [
        ("registry.example.com:5000/team/my-shop:1.0", "", "", "shop"),
        ("my-shop@sha256:abc", "", "", "shop"),
        ("x/acme-blog:2", "", "", "blog"),
        ("x/blog", "", "", "blog"),
        ("x/blog", "shop", "", "shop"),
        ("x/blog", "", "shop", "shop"),
        ("x/blog", "blog", "shop", "blog"),
    ],
)
def test_the_plugin_of_a_module(image: str, named: str, wanted: str, plugin: str) -> None:
    """The named one, that of the environment, or that of the image's package."""
    assert choose(FOUND, image, named, wanted).name == plugin


def test_the_only_plugin_is_taken_and_a_doubt_is_told() -> None:
    """With the names that there are, and the option."""
    assert choose(FOUND[:1], "x/other:1", "", "").name == "shop"
    with pytest.raises(RefusedError, match=r"shop \(my-shop\), blog \(Acme_Blog\); the image x/o"):
        choose(FOUND, "x/other:1", "", "")
    with pytest.raises(RefusedError, match=r"^nope: no such plugin; installed: shop"):
        choose(FOUND, "x/other:1", "nope", "")
    with pytest.raises(RefusedError, match=r"^MODULE_PLUGIN=nope: no such plugin"):
        choose(FOUND, "x/other:1", "", "nope")
    with pytest.raises(RefusedError, match="no plugin is installed; pip install one"):
        choose([], "x/other:1", "", "")


@tried
@given(image=st.text(max_size=30))
def test_any_image_has_a_repository(image: str) -> None:
    """Or an empty name."""
    assert set(repository_of(image)) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


def test_a_log_line_is_for_people() -> None:
    """Time, level, event and the rest; a traceback stands below; no JSON is an event."""
    line = lines.parse(
        b'{"timestamp":"2026-11-24T00:30:23.692Z","level":"info","event":"installed","files":3,'
        b'"path":"a b","exception":"Traceback:\\n  x","plugin":"good","note":"\\u001b[31m"}'
    )
    assert lines.shown(line, without=("plugin",)) == [
        '00:30:23 info    installed files=3 path="a b" note=" [31m"',
        "  Traceback:",
        "    x",
    ]
    assert lines.shown(lines.parse(b"Fatal Python error")) == [
        "                 Fatal Python error"
    ]
    assert lines.shown({"event": "progress", "progress": "1/2"}) == [
        " " * 17 + "progress: 1/2",
    ]
    assert lines.parse(b"[1]") == {"event": "[1]"}


@tried
@given(text=st.binary(max_size=60))
def test_any_line_can_be_shown(text: bytes) -> None:
    """A terminal obeys none of it."""
    assert all(line.isprintable() for line in lines.shown(lines.parse(text)))


def test_a_log_is_handed_out_as_it_grows(tmp_path: Path) -> None:
    """What was there before is not, half a line waits for its end, and the last one is waited for.

    The operation's last line ends the waiting.
    """
    log = tmp_path / "log"
    log.write_text('{"event":"before"}\n')
    found: list[str] = []
    with log.open("a") as file, lines.Tail(log, lambda line: found.append(line["event"])):
        file.write('{"event":"first"}\n{"event":')
        file.flush()
        wait_until(lambda: found == ["first"], "the first line")
        file.write('"operation finished"}\n')
        file.flush()
    assert found == ["first", "operation finished"]
