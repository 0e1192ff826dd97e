"""The host in a container, as a careful platform runs it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from e2e.conftest import StartContainer
from e2e.containers import HARDENED, LISTENER, Container, Engine
from support.processes import wait_until

USERS = {"the image's": (), "one of a platform": ("--user", "1000680000:0")}


@pytest.mark.parametrize("user", USERS.values(), ids=USERS)
def test_a_whole_life_in_a_hardened_container(
    example: str, start: StartContainer, user: tuple[str, ...]
) -> None:
    """Read-only, without capabilities, as any user: install, sleep, resume, uninstall, stop."""
    module = start(example, *HARDENED, *user)
    metadata = live(module)
    assert metadata["deploymentName"] == "my-app-deployment"
    assert module.health().json["healthy"] is True
    assert module.stop() == 0


def live(module: Container) -> dict[str, object]:
    """The operator's four calls; the metadata that the last but one left."""
    metadata: dict[str, object] = {}
    for operation, status in (("install", 201), ("sleep", 200), ("resume", 200)):
        reply = module.call(operation, metadata)
        assert (operation, reply.status) == (operation, status), reply.text
        metadata = reply.json
    reply = module.call("uninstall", metadata)
    assert (reply.status, reply.text) == (204, "")
    return metadata


def test_the_operators_secret_is_the_config(
    example: str, start: StartContainer, tmp_path: Path
) -> None:
    """What is mounted at /forkspacer, files of root, is read, and the body is not."""
    tmp_path.chmod(0o755)
    (tmp_path / "config.json").write_text(json.dumps({"appName": "mounted", "replicas": 3}))
    module = start(example, *HARDENED, "--volume", f"{tmp_path}:/forkspacer")
    assert module.call("install").json["deploymentName"] == "mounted-deployment"


def test_an_early_call_waits_and_is_answered(example: str, start: StartContainer) -> None:
    """The first connection, as soon as the container runs, is not refused."""
    module = start(example, *HARDENED)
    assert module.call("install").status == 201


def test_the_image_without_a_plugin_says_what_to_do(base: str, start: StartContainer) -> None:
    """It stays up: 400 to a call, 503 to /health, both with the cure."""
    host = start(base, *HARDENED)
    for reply, status in ((host.call("install"), 400), (host.health(), 503)):
        assert reply.status == status
        assert "no plugin is installed; pip install one" in reply.text
    assert host.stop() == 0


def test_podman_stop_ends_it_with_status_0(example: str, start: StartContainer) -> None:
    """SIGTERM reaches the first process, which exits by itself."""
    module = start(example, *HARDENED)
    assert module.call("install").status == 201
    assert module.stop() == 0
    assert module.events()[-1] == "stopped"


PHASES = {
    "starting": lambda module: None,
    "awake": lambda module: module.call("install"),
    "falling asleep": lambda module: wait_until(lambda: "asleep" in module.events(), "it sleeps"),
    "asleep": Container.wait_until_asleep,
}


@pytest.mark.parametrize("reach", PHASES.values(), ids=PHASES)
def test_podman_stop_in_every_phase(
    example: str, start: StartContainer, reach: Callable[[Container], object]
) -> None:
    """Whichever program the first process is just then, it exits with status 0."""
    module = start(example, *HARDENED, MODULE_IDLE=0.5)
    reach(module)
    assert module.stop() == 0


def test_a_hundred_naps_with_a_call_at_each_edge(example: str, start: StartContainer) -> None:
    """Just when it has fallen asleep, or is about to: each is answered."""
    module = start(example, *HARDENED, MODULE_IDLE=0.1)
    metadata = module.call("install").json
    pause, naps = 0.15, 0
    while naps < 100:
        reply = module.call("resume", metadata)
        assert reply.status == 200, reply.text
        time.sleep(max(0.0, pause))
        # looks for the very moment: longer while it is awake, shorter once it is not
        slept = module.events().count("asleep")
        pause += -0.02 if slept > naps else 0.01
        naps = slept
    assert module.stop() == 0


def test_where_no_process_can_be_made_the_keeper_itself_answers(
    example: str, start: StartContainer
) -> None:
    """As long as the platform's limit is reached; afterwards it serves as before."""
    module = start(example, *HARDENED, MODULE_IDLE=1)
    metadata = module.call("install").json
    module.wait_until_asleep()
    limit = module.limit_of_processes()
    limit.write_text("1")
    reason = "the host cannot start: no process can be made: Resource temporarily unavailable"
    reply = module.call("resume", metadata)
    assert (reply.status, reply.text.startswith(reason)) == (400, True)
    assert module.health().status == 503
    limit.write_text("64")
    wait_until(lambda: module.health().status == 200, "it serves", 20)
    assert module.call("resume", metadata).status == 200
    assert module.stop() == 0


@pytest.mark.parametrize("attempt", range(3))
def test_a_stop_right_after_the_start(example: str, start: StartContainer, attempt: int) -> None:
    """Whatever is being loaded just then, Python itself included, the exit status is 0."""
    del attempt
    assert start(example, *HARDENED).stop() == 0


def test_idle_it_is_one_process_and_wakes(example: str, start: StartContainer) -> None:
    """Asleep only the native listener is left, which takes nothing; the next call wakes it."""
    module = start(example, *HARDENED, MODULE_IDLE=1)
    metadata = module.call("install").json
    assert len(module.processes()) == 4
    module.wait_until_asleep()
    keeper = "/opt/modulehost/bin/python /opt/modulehost/bin/modulehost serve"
    assert module.processes() == [f"{LISTENER}{keeper}"]
    assert module.anonymous_memory() < 100_000
    assert module.call("install", metadata).status == 201
    module.wait_until_asleep()
    assert module.events().count("asleep") == 2
    assert module.stop() == 0


def test_the_health_check_asks_a_host_that_is_awake(base: str, start: StartContainer) -> None:
    """Without a plugin the container is not well."""
    assert start(base, *HARDENED).healthcheck() == 1


def test_the_health_check_lets_a_host_sleep(example: str, start: StartContainer) -> None:
    """Well while awake, well while asleep, and asleep afterwards."""
    module = start(example, *HARDENED, MODULE_IDLE=1)
    assert module.healthcheck() == 0
    module.wait_until_asleep()
    assert module.healthcheck() == 0
    assert len(module.processes()) == 1
    assert module.events().count("asleep") == 1


def test_tmp_is_all_that_can_be_written_to(example: str, start: StartContainer) -> None:
    """In the hardened container: every other place of the image's is read-only."""
    module = start(example, *HARDENED)
    assert module.execute("find", "/", "-xdev", "-writable", "-type", "d").stdout == "/tmp\n"
    refused = module.execute("touch", "/opt/modulehost/here")
    assert "Read-only file system" in refused.stderr


def test_what_the_host_writes_is_for_its_user_alone(example: str, start: StartContainer) -> None:
    """The journal's folder and its file: 0700 and 0600, and nothing else of the host in /tmp."""
    module = start(example, *HARDENED)
    assert module.call("install").status == 201
    listing = module.execute("find", "/tmp/modulehost", "-printf", "%m %U %y\\n").stdout
    assert set(listing.splitlines()) == {"700 65532 d", "600 65532 f"}
    left = module.execute("ls", "-A", "/tmp").stdout.split()
    assert set(left) == {"modulehost", "modulehost-example"}


def test_without_any_writable_place_it_works_and_stays_awake(
    base: str, engine: Engine, start: StartContainer
) -> None:
    """The journal is in memory, a warning says so, and the host does not sleep on it."""
    image = "localhost/with-my-plugin"
    result = engine.build("FROM modulehost\nRUN pip install my-plugin\n", image)
    assert result.returncode == 0, result.stderr
    nowhere = [option for option in HARDENED if not option.startswith(("/tmp:", "--tmpfs"))]
    module = start(image, *nowhere, MODULE_IDLE=0.1)
    assert live(module) == {"install": 1, "sleep": 1, "resume": 1}
    assert "is kept in memory only" in module.log()
    assert module.stop() == 0
    assert "asleep" not in module.events()


def test_every_line_of_the_log_is_json(example: str, start: StartContainer) -> None:
    """From the first to the last, with time, level and event."""
    module = start(example, *HARDENED)
    live(module)
    module.stop()
    lines = [json.loads(line) for line in module.log().splitlines()]
    assert all({"timestamp", "level", "event"} <= line.keys() for line in lines)
    assert lines[0]["event"] == "listening"
