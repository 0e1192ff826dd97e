"""What happens in a story, and what must be so then: a step each."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from cluster.images import MODULE
from cluster.runner_pod import NAMESPACE as PODS
from cluster.world import NAMESPACE, WORKSPACE, World

from modulehost.testing.operator import ANNOTATION

SHOP: Final = "shop"
"""The module of most stories."""

LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"

_ITEMS = [
    {"name": "Name", "alias": "appName", "string": {"default": "my-app"}},
    {"name": "Namespace", "alias": "namespace", "string": {"default": NAMESPACE}},
    {"name": "Plan", "alias": "plan", "string": {"default": ""}},
    {"name": "Replicas", "alias": "replicas", "integer": {"default": 1, "min": 1, "max": 10}},
]


class Step(Protocol):
    """One step."""

    def play(self, world: World) -> None:
        """Do it, or wait until it is so; an AssertionError when it is not."""


@dataclass(frozen=True)
class Apply:
    """Somebody applies a Module; what the plan says goes wrong."""

    plan: str = ""
    name: str = SHOP
    image: str = MODULE
    config: dict[str, Any] = field(default_factory=dict)
    permissions: tuple[str, ...] = ("workspace",)
    workspace: str = WORKSPACE
    hibernated: bool = False
    last_applied: int = 0
    """Bytes of the copy that kubectl keeps in an annotation."""

    def play(self, world: World) -> None:
        world.apply(self.name, self.document())

    def document(self) -> dict[str, Any]:
        """The Module."""
        copy = {LAST_APPLIED: "x" * self.last_applied} if self.last_applied else {}
        plan = {"plan": self.plan} if self.plan else {}
        return {
            "apiVersion": "batch.forkspacer.com/v1",
            "kind": "Module",
            "metadata": {"name": self.name, "annotations": copy},
            "config": _ITEMS,
            "spec": {
                "workspace": {"name": self.workspace, "namespace": NAMESPACE},
                "custom": {"image": self.image, "permissions": list(self.permissions)},
                "config": {"appName": self.name, **plan, **self.config},
                "hibernated": self.hibernated,
            },
        }


@dataclass(frozen=True)
class Hibernate:
    """Somebody has the module sleep, or wakes it up."""

    hibernated: bool = True
    name: str = SHOP

    def play(self, world: World) -> None:
        world.patch(self.name, {"spec": {"hibernated": self.hibernated}})


@dataclass(frozen=True)
class Delete:
    """Somebody deletes the Module."""

    name: str = SHOP

    def play(self, world: World) -> None:
        world.api.delete("modules", NAMESPACE, self.name)


@dataclass(frozen=True)
class DeletePod:
    """Somebody deletes the module's pod by hand."""

    def play(self, world: World) -> None:
        pod = world.pod(SHOP)
        world.api.delete("pods", PODS, pod)
        world.until(f"pod {pod} has gone", lambda: not world.api.get("pods", PODS, pod))


@dataclass(frozen=True)
class ForgetPod:
    """Somebody takes pod and Service out of the annotation, so that the operator makes others."""

    def play(self, world: World) -> None:
        kept = {"innerMetaData": world.kept(SHOP)["innerMetaData"]}
        world.patch(SHOP, {"metadata": {"annotations": {ANNOTATION: json.dumps(kept)}}})


@dataclass(frozen=True)
class CallByHand:
    """Somebody calls the operation inside a pod that was left behind."""

    operation: str

    def play(self, world: World) -> None:
        [pod] = [one["metadata"]["name"] for one in world.api.find("pods", PODS)]
        done = world.level.execute(pod, "modulehost", "call", self.operation)
        assert done.returncode == 0, done.stdout + done.stderr


@dataclass(frozen=True)
class GiveUp:
    """Somebody has a Module that hangs fail, so that it can be deleted."""

    def play(self, world: World) -> None:
        world.patch(SHOP, {"status": {"phase": "failed"}}, "status")


@dataclass(frozen=True)
class KillOperator:
    """The operator's process is killed; another one is there when ``restarts``."""

    restarts: bool = True

    def play(self, world: World) -> None:
        world.operator.kill()
        if self.restarts:
            world.operator.start()


@dataclass(frozen=True)
class LoseAnswer:
    """A call that is held goes on; the operator is killed when it has not read the answer."""

    def play(self, world: World) -> None:
        world.operator.pause()
        world.release()
        world.until("an answer waits for the operator", world.operator.answer_waits)
        world.operator.kill()
        world.operator.start()


@dataclass(frozen=True)
class Fork:
    """Somebody forks the workspace."""

    name: str = "fork"

    def play(self, world: World) -> None:
        world.make_workspace(self.name, source=WORKSPACE)


@dataclass(frozen=True)
class Reaches:
    """The Module comes into a phase, with this in its message."""

    phase: str
    message: str = ""
    name: str = SHOP

    def play(self, world: World) -> None:
        last = (self.phase, "failed")  # after a failure there is nothing to wait for
        world.until(f"{self.name} is {self.phase}", lambda: world.phase(self.name) in last)
        module = world.module(self.name)
        assert module is not None
        assert module["status"]["phase"] == self.phase
        assert self.message in (module["status"].get("message") or "")


@dataclass(frozen=True)
class IsGone:
    """The Module goes."""

    name: str = SHOP

    def play(self, world: World) -> None:
        world.until(f"{self.name} has gone", lambda: world.module(self.name) is None)


@dataclass(frozen=True)
class IsCalled:
    """The hook of the operation is entered, so many times in all."""

    operation: str
    times: int = 1

    def play(self, world: World) -> None:
        def count() -> int:
            return sum(operation == self.operation for operation, _, _ in world.calls(SHOP))

        world.until(f"{self.operation} is called", lambda: count() >= self.times)
        assert count() == self.times


@dataclass(frozen=True)
class WasGiven:
    """The hook of the last call was given metadata with these values."""

    operation: str
    values: dict[str, Any]

    def play(self, world: World) -> None:
        operation, given, _ = world.calls(SHOP)[-1]
        assert operation == self.operation
        assert {key: given.get(key) for key in self.values} == self.values


@dataclass(frozen=True)
class Keeps:
    """The annotation holds metadata with these values, None for a key that is not there."""

    values: dict[str, Any]

    def play(self, world: World) -> None:
        kept = world.kept(SHOP).get("innerMetaData", {})
        assert {key: kept.get(key) for key in self.values} == self.values


@dataclass(frozen=True)
class Tells:
    """An event with that reason tells this to the Module's user."""

    reason: str
    text: str

    def play(self, world: World) -> None:
        def is_told() -> bool:
            return any(
                (reason, self.text in text) == (self.reason, True)
                for reason, text in world.events(SHOP)
            )

        world.until(f"an event {self.reason}: {self.text}", is_told)


@dataclass(frozen=True)
class TellsNothing:
    """There is no event."""

    def play(self, world: World) -> None:
        assert world.events(SHOP) == []


@dataclass(frozen=True)
class Has:
    """The module has things in the cluster, in this state; none when it is empty."""

    state: str = ""

    def play(self, world: World) -> None:
        states = set(world.things(SHOP).values())
        assert states == ({self.state} if self.state else set())


@dataclass(frozen=True)
class LeavesPod:
    """Pod and Service are left behind."""

    def play(self, world: World) -> None:
        assert [one["metadata"]["name"] for one in world.api.find("pods", PODS)]
        assert world.api.find("services", PODS, labelSelector="forkspacer.com")


@dataclass(frozen=True)
class IsAsleep:
    """The module's host is asleep."""

    def play(self, world: World) -> None:
        pod = world.pod(SHOP)

        def is_asleep() -> bool:
            lines = world.level.log(pod).splitlines()
            return bool(lines) and json.loads(lines[-1])["event"] == "asleep"

        world.until("the host is asleep", is_asleep)
