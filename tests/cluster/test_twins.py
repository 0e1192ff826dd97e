"""Two Modules of one second: the operator's label does not tell their pods apart.

Each of the two Services reaches both pods, so a call comes to the wrong pod every other time. What
must never be: a module that is ready and was installed with the other's config. The host sees to that
where it may read the operator's record, in either of two ways.
"""

from __future__ import annotations

import time
from threading import Thread

import pytest
from cluster.runner_pod import NAMESPACE as PODS
from cluster.steps import Apply, Delete, Fork, Reaches
from cluster.world import NAMESPACE, World

TWINS = ("left", "right")
SETTLED = ("ready", "failed")


@pytest.mark.parametrize("permission", ["controller", "workspace"])
@pytest.mark.parametrize("attempt", range(4))
def test_twins_are_never_swapped(world: World, permission: str, attempt: int) -> None:
    """Each is ready with its own config, or has failed and tells both names and the cure."""
    del attempt
    world.make_workspace("here", type="in-cluster")
    try:
        apply_in_one_second(world, permission)
        for name in TWINS:
            settle(world, name)
        for name in TWINS:
            judge(world, name)
        # the cure: what has failed goes first, and its pod with it
        for name in sorted(TWINS, key=lambda name: world.phase(name) == "ready"):
            take_away(world, name)
    except AssertionError as error:
        error.add_note(world.told())
        raise


def apply_in_one_second(world: World, permission: str) -> None:
    """At the beginning of a second, both together, in a workspace of the operator's cluster."""
    both = [Apply(name=name, permissions=(permission,), workspace="here") for name in TWINS]
    time.sleep(1 - time.time() % 1)
    threads = [Thread(target=twin.play, args=(world,)) for twin in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def settle(world: World, name: str) -> None:
    """Wait until it is ready, or never will be."""
    world.until(f"{name} has settled", lambda: world.phase(name) in SETTLED)


def judge(world: World, name: str) -> None:
    """A module that is ready is itself; one that is not tells why."""
    kept = world.kept(name)
    if world.phase(name) == "ready":
        assert kept["innerMetaData"]["app"] == name
        assert {pod for operation, _, pod in world.calls(name)} == {kept["runnerPodName"]}
    else:
        [(_, text)] = world.events(name)
        with open("/tmp/swap-tally", "a") as f:
            f.write(text)
        assert kept["runnerServiceName"] in text
        assert "two modules; " in text or "two modules: " in text
        assert "delete" in text
        assert world.things(name) == {}


def take_away(world: World, name: str) -> None:
    """Delete it: it removes what is its own, or says why it cannot, and touches nothing else."""
    others = {thing: state for thing, state in world.things().items() if name not in thing}
    service = world.kept(name)["runnerServiceName"]
    Delete(name).play(world)
    world.until(f"{name} has gone", lambda: not world.phase(name))
    refusals = [text for reason, text in world.events(name) if reason == "UninstallError"]
    if refusals:  # two pods were still behind its Service, and this was the other's
        assert service in refusals[0]
    else:
        assert not world.things(name)
        world.until("its Service has gone", lambda: not world.api.get("services", PODS, service))
    assert others.items() <= world.things().items()


def test_a_fork_installs_each_copy_afresh(world: World) -> None:
    """The copy has things of its own pod's making; the original is left alone."""
    try:
        Apply().play(world)
        Reaches("ready").play(world)
        original = world.pod("shop")
        Fork().play(world)
        world.until("there is a copy", lambda: len(copies(world)) >= 1)
        for name in copies(world):
            settle(world, name)
        ready = [name for name in copies(world) if world.phase(name) == "ready"]
        assert ready
        pods = {pod for operation, _, pod in world.calls("shop") if operation == "install"}
        assert pods >= {original, *(world.pod(name) for name in ready)}
        assert world.pod("shop") == original
    except AssertionError as error:
        error.add_note(world.told())
        raise


def copies(world: World) -> list[str]:
    """The names of the copies of the module."""
    names = [module["metadata"]["name"] for module in world.api.find("modules", NAMESPACE)]
    return [name for name in names if name.startswith("shop-")]
