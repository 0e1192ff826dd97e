"""Counts behind start, memory and sleep. Times vary with the machine, these do not.

Bounds are those of Python 3.11 with the versions of constraints.txt, and some room: another Python
has a few modules more, while each of the dear packages named here brings dozens. From 3.15 on they
are those of that one, which puts off imports until they are used.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import interpreter
from support.host import Host, StartHost
from support.processes import tree, wait_until, with_variable

UNTIL_BIND = f"""
import sys
sys.path.insert(0, {interpreter.SOURCE!r})
before = set(sys.modules)

def look(event, arguments):
    if event == "socket.bind":
        names = sorted(sys.modules.keys() - before)
        import json, os
        print(json.dumps(names), flush=True)
        os._exit(0)

sys.addaudithook(look)
sys.argv = ["modulehost", "serve"]
from modulehost.cli import main
sys.exit(f"it ended before it listened: {{main()}}")
"""

PUT_OFF = sys.version_info >= (3, 15)

OF_OS = {"os", "os.path", "posixpath", "genericpath", "stat", "_stat", "_collections_abc"}
OF_OS |= {"abc", "_abc", "errno"}  # some have them from the start
BEFORE_LISTENING = {
    *("modulehost", "modulehost.cli", "modulehost.keeper", "__future__"),
    *("modulehost.shared", "modulehost.shared.names"),
    *(f"modulehost.keeper.{name}" for name in ("serve", "signals", "listening")),
    *("_signal", "_socket", "select"),
    *OF_OS,
}
BY_THE_KEEPER = {
    *BEFORE_LISTENING,
    *(f"modulehost.keeper.{name}" for name in ("keeper", "child", "lastresort", "log")),
    *("modulehost.shared", "modulehost.shared.linux", "modulehost.shared.names"),
    *("time", "_ctypes"),
}

TELLS_ITS_MODULES = """
import _signal, os, sys

def tell(*_):
    path = f"{os.environ['TEST_FOLDER']}/modules.{os.getpid()}"
    with open(f"{path}.part", "w") as file:
        file.write(" ".join(sys.modules))
    os.rename(f"{path}.part", path)

_signal.signal(_signal.SIGRTMIN, tell)
"""

NOT_IN_THE_FRONT = {
    *("structlog", "asyncio", "pluggy", "multiprocessing", "concurrent.futures.process"),
    *("ssl", "jinja2", "click"),
    *(
        "modulehost.plugin.discovery",
        "modulehost.plugin.context",
        "modulehost.runner.loop",
        "modulehost.front.reload",
    ),
    "good",
}
IN_THE_FRONT = 275 if PUT_OFF else 370  # 261, and 351 in 3.11

NOT_IN_THE_RUNNER = {
    *(
        "flask",
        "werkzeug",
        "gunicorn",
        "structlog",
        "modulehost.front.operations",
        "modulehost.front.app",
    ),
    *("asyncio", "email", "importlib.metadata", "json", "logging", "pathlib", "subprocess"),
    *("tempfile", "urllib", "zipfile"),
    *(f"modulehost.plugin.{name}" for name in ("ledger", "retrying", "secret_sources")),
    *(f"modulehost.plugin.{name}" for name in ("store", "versions")),
}
IN_THE_RUNNER = 150 if PUT_OFF else 160  # 145, and 157 in 3.11; structlog has 174


def modules_of(host: Host, pid: int) -> set[str]:
    """The modules that a process of the host has imported so far."""
    told = host.folder / f"modules.{pid}"
    told.unlink(missing_ok=True)
    os.kill(pid, signal.SIGRTMIN)
    wait_until(told.exists, "the process tells its modules")
    return set(told.read_text().split())


@pytest.fixture(scope="module")
def telling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host, its plugin loaded, whose processes tell their modules at a signal."""
    folder = tmp_path_factory.mktemp("telling")
    (folder / "site").mkdir()
    (folder / "site" / "sitecustomize.py").write_text(TELLS_ITS_MODULES)
    script = Path(sys.executable).with_name("modulehost")
    api = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    settings: dict[str, Any] = {"command": (str(script), "serve"), **api}
    with Host(folder, "good", **settings) as host:
        assert host.health().status == 200
        host.wait_for("plugin loaded")
        yield host


def test_next_to_nothing_is_imported_before_the_host_listens() -> None:
    """Up to bind(), the keeper needs the C halves of three modules, os, and eight of its own."""
    assert set(interpreter.evaluate(UNTIL_BIND, "-S")) - BEFORE_LISTENING == set()


def test_the_keeper_stays_that_small(telling: Host) -> None:
    """Starting gunicorn adds nine modules to the keeper: what it has, it has asleep as well."""
    own = interpreter.evaluate(
        "import sys; names = [*sys.modules]; import json; print(json.dumps(names))",
        PYTHONPATH=telling.environ["PYTHONPATH"],
    )
    assert modules_of(telling, telling.keeper) - set(own) - BY_THE_KEEPER == set()


def test_the_front_imports_nothing_dear_for_its_first_answer(telling: Host) -> None:
    """The front has Flask and gunicorn, and neither the plugin nor what only plugins need.

    Nor has it what the Kubernetes API is asked with: this pod has no credentials for that.

    Not named is importlib.metadata: gunicorn.util and flask.cli both import it.
    """
    host = "shop.forkspacer-system.svc.cluster.local"
    assert telling.call("install", {}, Host=host).status == 201
    modules = modules_of(telling, telling.front)
    assert {"flask", "modulehost.front.app"} <= modules
    assert modules & NOT_IN_THE_FRONT == set()
    assert len(modules) <= IN_THE_FRONT


def test_the_runner_imports_nothing_dear_beside_the_plugin(telling: Host) -> None:
    """With a plugin that imports nothing itself, the runner has pluggy, msgspec and our own."""
    modules = modules_of(telling, telling.runner)
    assert {"good", "pluggy"} <= modules
    assert modules & NOT_IN_THE_RUNNER == set()
    assert len(modules) <= IN_THE_RUNNER


def test_a_plugin_that_logs_finds_structlog_imported(start_host: StartHost, tmp_path: Path) -> None:
    """While it is loaded, and not in the midst of its first operation."""
    site = tmp_path / "telling"
    site.mkdir()
    (site / "sitecustomize.py").write_text(TELLS_ITS_MODULES)
    host = start_host("configured", PYTHONPATH=f"{tmp_path}/host1/site:{site}")
    host.wait_for("plugin loaded")
    assert {"configured", "structlog"} <= modules_of(host, host.runner)


def test_an_awake_host_is_four_processes(telling: Host) -> None:
    """Keeper, arbiter, front and runner: gunicorn adds no helper, the host no second runner."""
    parts = [telling.keeper, telling.arbiter, telling.front, telling.runner]
    assert sorted(tree(telling.keeper)) == sorted(parts)


def test_a_host_asleep_is_one_process_that_never_runs(start_host: StartHost) -> None:
    """Asleep, only the keeper is there, with one thread, and in 2 s it is not woken once."""
    host = start_host("good", MODULE_IDLE=0.2)
    assert host.health().status == 200
    host.wait_for("asleep")
    wait_until(lambda: status_of(host.keeper)["State"].startswith("S"), "the keeper waits")
    assert tree(host.keeper) == [host.keeper]
    assert with_variable("MODULE_STATE_DIR", str(host.state)) == [host.keeper]
    before = status_of(host.keeper)
    time.sleep(2)
    after = status_of(host.keeper)
    assert after["Threads"] == "1"
    for count in ("voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"):
        assert after[count] == before[count]


def test_sleeping_and_waking_leaves_no_descriptor_behind(start_host: StartHost) -> None:
    """The keeper has as many descriptors after the third sleep as after the first."""
    host = start_host("good", MODULE_IDLE=0.2)
    counts = []
    for number in (1, 2, 3):
        assert host.health().status == 200
        host.wait_for("asleep", number)
        counts.append(len(list(Path(f"/proc/{host.keeper}/fd").iterdir())))
    assert counts == counts[:1] * 3


def test_an_install_touches_files_a_dozen_times_and_writes_the_metadata_thrice(
    start_host: StartHost,
) -> None:
    """Sent, then sent and outcome again: that is the journal; logs and wake-ups are the rest."""
    host = start_host("good")
    size, count = 100_000, 20
    assert host.call("install", {"text": "-" * size}).status == 201
    parts = host.front, host.runner
    before = [io_of(pid) for pid in parts]
    for number in range(count):
        assert host.call("install", {"number": number, "text": "-" * size}).status == 201
    front, runner = (
        {name: (io_of(pid)[name] - was[name]) / count for name in was}
        for pid, was in zip(parts, before, strict=True)
    )
    assert front["syscr"] <= 12
    assert front["syscw"] <= 9
    assert front["wchar"] <= 3 * size + 2000
    assert runner["syscr"] + runner["syscw"] <= 1


def io_of(pid: int) -> dict[str, int]:
    """The counts of /proc/PID/io: calls and bytes of read() and write(), not those of sockets."""
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return {name: int(count) for name, count in (line.split(": ") for line in lines)}


def status_of(pid: int) -> dict[str, str]:
    """The lines of /proc/PID/status."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
