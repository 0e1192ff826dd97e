"""The image as a pod on a real node, as a careful platform runs it."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from cluster.api import Document
from cluster.images import MODULE, SLEEPER
from cluster.levels import Done, RealLevel
from cluster.node_images import EXAMPLE
from cluster.world import NAMESPACE as STORIES
from cluster.world import World
from support.processes import wait_until

NAMESPACE = "restricted"
FINALIZER = "modulehost.test/look"
LIMIT = "128Mi"

USERS = {"the image's": {}, "one of a platform": {"runAsUser": 1000680000, "runAsGroup": 0}}


class Pod:
    """A pod with the recommended security context; it stays to be looked at when it has ended."""

    def __init__(self, node: RealLevel, image: str, secret: str = "", **security: int) -> None:
        self._node = node
        self._api = node.cluster.api()
        mounts, volumes = [{"name": "tmp", "mountPath": "/tmp"}], [_volume("tmp", emptyDir={})]
        if secret:
            mounts.append({"name": "config", "mountPath": "/forkspacer"})
            volumes.append(_volume("config", secret={"secretName": secret}))
        worker = {
            "name": "worker",
            "image": image,
            "volumeMounts": mounts,
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
        }
        document: Document = {
            "metadata": {"generateName": "module-", "finalizers": [FINALIZER]},
            "spec": {
                "restartPolicy": "Never",
                "securityContext": {
                    "runAsNonRoot": True,
                    "seccompProfile": {"type": "RuntimeDefault"},
                    **security,
                },
                "containers": [worker],
                "volumes": volumes,
            },
        }
        created = self._api.create("pods", NAMESPACE, document)
        self.name: str = created["metadata"]["name"]

    def state(self) -> dict[str, Any]:
        """The container's: waiting, running or terminated."""
        pod = self._api.get("pods", NAMESPACE, self.name)
        assert pod is not None
        statuses = pod["status"].get("containerStatuses") or [{"state": {}}]
        state: dict[str, Any] = statuses[0]["state"]
        return state

    def wait_until_running(self) -> None:
        """Until the container has started."""
        wait_until(lambda: "running" in self.state(), f"{self.name} runs", 60)

    def wait_for(self, event: str) -> None:
        """Until its log has the event."""
        wait_until(lambda: event in self.events(), f"{event!r} in the log", 60)

    def events(self) -> list[str]:
        """The events in its log."""
        done = self._node.cluster.kubectl("logs", f"-n{NAMESPACE}", self.name, check=False)
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
        return [json.loads(line)["event"] for line in lines]  # or kubelet's own: none are there

    def execute(self, *command: str) -> Done:
        """``kubectl exec``."""
        arguments = ("exec", f"-n{NAMESPACE}", self.name, "--", *command)
        return self._node.cluster.kubectl(*arguments, check=False)

    def call(self, operation: str) -> Done:
        """An operation, called inside the pod."""
        return self.execute("modulehost", "call", operation)

    def delete(self) -> None:
        """Begin its end: SIGTERM to the first process, SIGKILL 30 s later."""
        self._api.delete("pods", NAMESPACE, self.name)

    def wait_until_stopping(self) -> None:
        """Until the kubelet stops the container."""
        about = f"involvedObject.name={self.name},reason=Killing"
        found = partial(self._api.find, "events", NAMESPACE, fieldSelector=about)
        wait_until(found, f"{self.name} is being stopped", 30)

    def exit_status(self) -> int | None:
        """Wait for the end; None when the container was never started."""
        ended = ("Succeeded", "Failed")

        def has_ended() -> bool:
            pod = self._api.get("pods", NAMESPACE, self.name)
            return pod is not None and pod["status"]["phase"] in ended

        wait_until(has_ended, f"{self.name} has ended", 60)
        terminated = self.state().get("terminated")
        return terminated["exitCode"] if terminated and terminated["startedAt"] else None

    def forget(self) -> None:
        """Let it go."""
        change: Document = {"metadata": {"finalizers": None}}
        self._api.patch("pods", NAMESPACE, self.name, change)
        self._api.delete("pods", NAMESPACE, self.name, {"gracePeriodSeconds": 0})


def _volume(name: str, **source: dict[str, str]) -> Document:
    return {"name": name, **source}


class StartPod:
    """Starts pods in a namespace that enforces *restricted* and bounds their memory."""

    def __init__(self, node: RealLevel, stack: contextlib.ExitStack) -> None:
        self._node = node
        self._stack = stack

    def __call__(self, image: str, secret: str = "", /, **security: int) -> Pod:
        pod = Pod(self._node, image, secret, **security)
        self._stack.callback(pod.forget)
        return pod


@pytest.fixture
def start(node: RealLevel) -> Iterator[StartPod]:
    """Start pods; they are gone afterwards."""
    api = node.cluster.api()
    if api.get("namespaces", "", NAMESPACE) is None:
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        api.create("namespaces", "", {"metadata": {"name": NAMESPACE, "labels": labels}})
        bounds = {"type": "Container", "default": {"memory": LIMIT}, "max": {"memory": LIMIT}}
        limits = {"metadata": {"name": "memory"}, "spec": {"limits": [bounds]}}
        api.create("limitranges", NAMESPACE, limits)
        account = ("serviceaccounts", NAMESPACE, "default")
        wait_until(lambda: api.get(*account), "the namespace's account is there")
    with contextlib.ExitStack() as stack:
        yield StartPod(node, stack)


StartKeeper = Callable[..., Pod]


@pytest.fixture
def keeper(world: World, start: StartPod) -> StartKeeper:
    """Start pods of the stories' plugin: ``keeper(image, plan)``."""
    kubeconfig = world.api.get("secrets", STORIES, "dev")
    assert kubeconfig is not None

    def begin(image: str, plan: str = "") -> Pod:
        config = {"appName": "shop", "plan": plan}
        secret = world.api.create(
            "secrets",
            NAMESPACE,
            {
                "metadata": {"generateName": "shop-"},
                "stringData": {"config.json": json.dumps(config)},
                "data": {"workspace_kubeconfig": kubeconfig["data"]["kubeconfig"]},
            },
        )
        return start(image, secret["metadata"]["name"])

    return begin


@pytest.mark.parametrize("user", USERS.values(), ids=USERS)
def test_a_whole_life_in_a_restricted_namespace(start: StartPod, user: dict[str, int]) -> None:
    """Read-only, without capabilities, within 128 MiB, as any user: and ended with status 0."""
    pod = start(EXAMPLE, **user)
    pod.wait_until_running()
    for operation in ("install", "sleep", "resume", "uninstall"):
        done = pod.call(operation)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "Read-only file system" in pod.execute("touch", "/opt/modulehost/here").stderr
    pod.delete()
    assert pod.exit_status() == 0


def test_the_namespace_is_strict(node: RealLevel, start: StartPod) -> None:
    """A pod as the operator makes it is refused there: docs/security.md says what to do."""
    del start
    plain = ("run", "plain", f"-n{NAMESPACE}", f"--image={EXAMPLE}", "--restart=Never")
    done = node.cluster.kubectl(*plain, check=False)
    assert 'violates PodSecurity "restricted' in done.stderr


@pytest.mark.parametrize("moment", ["created", "running", "listening", "plugin loaded"])
def test_a_pod_deleted_while_it_starts(start: StartPod, moment: str) -> None:
    """Exit status 0, whatever is being loaded; none where nothing had been started."""
    pod = start(EXAMPLE)
    if moment == "running":
        pod.wait_until_running()
    elif moment != "created":
        pod.wait_for(moment)
    pod.delete()
    assert pod.exit_status() in ((0, None) if moment == "created" else (0,))


def test_a_pod_deleted_while_its_host_is_asleep(keeper: StartKeeper) -> None:
    """Exit status 0."""
    pod = keeper(SLEEPER)
    pod.wait_for("asleep")
    pod.delete()
    assert pod.exit_status() == 0


def test_a_pod_deleted_in_an_operation_that_waits(keeper: StartKeeper, world: World) -> None:
    """It is cancelled, its reason still goes out, and the exit status is 0."""
    pod = keeper(MODULE, "install=wait")
    pod.wait_until_running()
    with _in_background(pod, "install") as said:
        wait_until(lambda: world.calls("shop"), "install is called", 30)
        pod.delete()
    assert pod.exit_status() == 0
    assert said[0].returncode != 0
    assert "stop" in said[0].stdout + said[0].stderr


def test_an_uninstall_reaches_a_host_that_is_stopping(keeper: StartKeeper, world: World) -> None:
    """What can still be done within the time of the stop is done: nothing is left behind."""
    pod = keeper(MODULE, "sleep=hold")
    pod.wait_until_running()
    assert pod.call("install").returncode == 0
    with _in_background(pod, "sleep"):
        wait_until(lambda: len(world.calls("shop")) == 2, "sleep is called", 30)
        pod.delete()
        pod.wait_until_stopping()
        done = pod.call("uninstall")
    assert done.returncode == 0, done.stdout + done.stderr
    assert world.things() == {}
    assert pod.exit_status() == 0


@contextlib.contextmanager
def _in_background(pod: Pod, operation: str) -> Iterator[list[Done]]:
    """Call the operation; what came of it is in the list afterwards."""
    said: list[Done] = []
    thread = threading.Thread(target=lambda: said.append(pod.call(operation)))
    thread.start()
    try:
        yield said
    finally:
        thread.join()
