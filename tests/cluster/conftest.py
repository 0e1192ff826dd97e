"""The levels and their operator. A machine that cannot have a cluster says so in one line."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster import cluster, levels, node_images, operators, programs
from cluster.cluster import Cluster
from cluster.levels import Level, RealLevel
from cluster.operators import Operator
from cluster.world import World
from e2e import containers

_FAKE = "fake-node"
_HOMES = Path("/var/tmp")  # overlays do not stack on every file system that /tmp may be
_PREFIX = "modulehost-test-"


def _why_not() -> str | None:
    """Why no cluster can be had here. In CI one must be."""
    return None if os.environ.get("CI") == "true" else cluster.why_not()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out all that takes a cluster where there can be none.

    What asks for the fixture ``node`` is not for the level without one. What brings up clusters of
    its own comes first: a machine can have one real node.
    """
    out = items if _why_not() else [item for item in items if _is_not_for_its_level(item)]
    config.hook.pytest_deselected(items=out)
    items[:] = [item for item in items if item not in out]
    items.sort(key=lambda item: "level" in getattr(item, "fixturenames", ()))


def _is_not_for_its_level(item: pytest.Item) -> bool:
    level = item.callspec.params.get("level") if hasattr(item, "callspec") else None
    return level == _FAKE and "node" in getattr(item, "fixturenames", ())


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """To have left out everything is no failure."""
    if _why_not() and exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
        session.exitstatus = pytest.ExitCode.OK


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was left out, and why: a line each."""
    if reason := _why_not():
        terminalreporter.write_line(f"No cluster was made: {reason}.")
    elif operators.BINARY not in os.environ:
        terminalreporter.write_line(
            f"The stories were played by the stand-in: {operators.BINARY} names no operator."
        )


@pytest.fixture(scope="session", autouse=True)
def _alone() -> Iterator[None]:
    """One run at a time on a machine; what a run that was killed has left is taken away."""
    programs.cache().mkdir(parents=True, exist_ok=True)
    with (programs.cache() / "clusters.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in _HOMES.glob(f"{_PREFIX}*"):
            Cluster(left).stop()
            shutil.rmtree(left)
        yield


@contextlib.contextmanager
def _home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_HOMES))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder for a cluster."""
    with _home() as folder:
        yield folder


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The images for a real node, as a docker archive."""
    target = tmp_path_factory.mktemp("images") / "images.tar"
    with containers.engine() as engine:
        node_images.build(engine, target)
    return target


@pytest.fixture(scope="session", params=[_FAKE, "real-node"])
def level(request: pytest.FixtureRequest) -> Iterator[Level]:
    """A cluster of each level, with what the operator's installation brings."""
    with _home() as folder:
        running: contextlib.AbstractContextManager[Level]
        if request.param == _FAKE:
            running = levels.fake(folder)
        else:
            running = levels.real(folder, [request.getfixturevalue("images")])
        with running as level:
            operators.prepare(level)
            yield level


@pytest.fixture(scope="session")
def session_world(level: Level) -> World:
    """The workspace of the stories, and an operator."""
    operator = Operator(level)
    operator.start()
    world = World(level, operator)
    world.prepare()
    return world


@pytest.fixture
def node(level: Level) -> RealLevel:
    """The level with a real node."""
    assert isinstance(level, RealLevel)
    return level


@pytest.fixture
def world(session_world: World) -> Iterator[World]:
    """What a story happens in: nothing of another story is left in it."""
    yield session_world
    session_world.clean()
