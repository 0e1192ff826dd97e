"""A fake node: plays kubelet, kube-proxy and DNS for the operator's namespace.

Each pod that the scheduler puts on it becomes ``modulehost serve`` in processes of this machine,
with a mount namespace of its own: the pod's Secret and its service account are files there. An HTTP
proxy on loopback takes ``http://SERVICE.NAMESPACE.svc.cluster.local/`` to a pod of that Service.
To be run in the cluster's network:

    python -m cluster.fakenode KUBECONFIG FOLDER
"""

from __future__ import annotations

import argparse
import http.client
import signal
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cluster.api import STRATEGIC, Api, ApiError, Document
from cluster.fakepod import FakePod
from cluster.fakeproxy import Proxy
from cluster.images import IMAGES
from cluster.runner_pod import NAMESPACE

NAME: Final = "fake"

_ROOM = {"cpu": "8", "memory": "16Gi", "pods": "200", "ephemeral-storage": "500Gi"}
_HEARTBEAT = 10.0  # seconds; after 50 without one the node is called lost
_ROUND = 0.1
_ADDRESSES = "10.244.9.{}"


class FakeNode:
    """The node; ``folder`` gets a folder for each pod."""

    def __init__(self, api: Api, folder: Path) -> None:
        self._api = api
        self._folder = folder
        self._pods: dict[str, FakePod] = {}
        self._busy: set[str] = set()
        self._reported: set[str] = set()
        self._numbers = iter(range(2, 250))

    def register(self) -> None:
        """Add the node to the cluster: an endpoint's node must be there."""
        labels = {"kubernetes.io/hostname": NAME}
        self._api.create("nodes", "", {"metadata": {"name": NAME, "labels": labels}})
        self.heartbeat()
        # every node begins with a taint that says it is not ready
        self._api.patch("nodes", "", NAME, {"spec": {"taints": None}})

    def heartbeat(self) -> None:
        """Say that it is alive."""
        ready = {"type": "Ready", "status": "True", "reason": "Fake", "lastHeartbeatTime": _now()}
        status = {"capacity": _ROOM, "allocatable": _ROOM, "conditions": [ready]}
        self._api.patch("nodes", "", NAME, {"status": status}, "status", STRATEGIC)

    def look(self) -> None:
        """Start the pods that are bound to it, stop those that are deleted."""
        pods = self._api.find("pods", NAMESPACE, fieldSelector=f"spec.nodeName={NAME}")
        for pod in pods:
            uid = pod["metadata"]["uid"]
            if "deletionTimestamp" in pod["metadata"]:
                self._aside(self._end, pod)
            elif pod["status"].get("phase") == "Pending":
                self._aside(self._start, pod)
            elif uid in self._pods:
                self._report_exit(pod)
        for uid in self._pods.keys() - {pod["metadata"]["uid"] for pod in pods}:
            # deleted by force, or between two steps of its start
            threading.Thread(target=self._pods.pop(uid).stop, args=(30,)).start()

    def stop(self) -> None:
        """Stop all pods."""
        for uid in list(self._pods):
            self._pods.pop(uid).stop(5)

    def port_of(self, namespace: str, service: str) -> int | None:
        """The port of any ready pod of a Service, as kube-proxy would choose it."""
        slices = self._api.find(
            "endpointslices", namespace, labelSelector=f"kubernetes.io/service-name={service}"
        )
        addresses = {
            address
            for part in slices
            for endpoint in part.get("endpoints") or ()
            if endpoint["conditions"].get("ready")
            for address in endpoint["addresses"]
        }
        return FakePod.any_port(list(self._pods.values()), addresses)

    def _aside(self, work: Callable[[Document], None], pod: Document) -> None:
        """Do it in a thread; what fails is tried again in the next round."""
        uid = pod["metadata"]["uid"]
        if uid in self._busy:
            return

        def run() -> None:
            try:
                work(pod)
            except (OSError, http.client.HTTPException, ApiError) as error:
                _say(f"{work.__name__}: {pod['metadata']['name']}: {error!r}")
                time.sleep(1)
            finally:
                self._busy.discard(uid)

        self._busy.add(uid)
        threading.Thread(target=run, daemon=True).start()

    def _start(self, pod: Document) -> None:
        uid, image = pod["metadata"]["uid"], pod["spec"]["containers"][0]["image"]
        if image not in IMAGES:
            waiting = {"waiting": {"reason": "ErrImagePull", "message": f"{image} not found"}}
            self._set_status(pod, "Pending", "", waiting)
            time.sleep(1)
            return
        if uid not in self._pods:  # it is there when only its status could not be written
            address = _ADDRESSES.format(next(self._numbers))
            self._pods[uid] = FakePod(self._api, self._folder, pod, IMAGES[image], address)
        self._pods[uid].await_port()
        self._set_status(
            pod, "Running", self._pods[uid].address, {"running": {"startedAt": _now()}}
        )

    def _end(self, pod: Document) -> None:
        about = pod["metadata"]
        fake = self._pods.pop(about["uid"], None)
        if fake is not None:
            status = fake.stop(about.get("deletionGracePeriodSeconds") or 1)
            _say(f"stopped {about['name']} with {status}")
        # a kubelet's last word; by its uid, since the next one may have the same name
        options = {"gracePeriodSeconds": 0, "preconditions": {"uid": about["uid"]}}
        self._api.delete("pods", NAMESPACE, about["name"], options)

    def _report_exit(self, pod: Document) -> None:
        """A process that has ended by itself is not started again."""
        uid = pod["metadata"]["uid"]
        status = self._pods[uid].status
        if status is None or uid in self._reported:
            return
        self._reported.add(uid)
        _say(f"{pod['metadata']['name']} has ended with {status}")
        terminated = {"exitCode": status % 256, "startedAt": _now(), "finishedAt": _now()}
        phase = "Failed" if status else "Succeeded"
        self._set_status(pod, phase, self._pods[uid].address, {"terminated": terminated})

    def _set_status(self, pod: Document, phase: str, address: str, state: Document) -> None:
        container, runs = pod["spec"]["containers"][0], "running" in state
        conditions = [
            {"type": name, "status": str(runs), "lastTransitionTime": _now()}
            for name in ("Initialized", "Ready", "ContainersReady")
        ]
        status = {
            "phase": phase,
            "conditions": conditions,
            "startTime": _now(),
            **({"podIP": address, "podIPs": [{"ip": address}]} if address else {}),
            "containerStatuses": [
                {
                    "name": container["name"],
                    "image": container["image"],
                    "imageID": "",
                    "restartCount": 0,
                    "ready": runs,
                    "started": runs,
                    "state": state,
                }
            ],
        }
        name = pod["metadata"]["name"]
        self._api.patch("pods", NAMESPACE, name, {"status": status}, "status", STRATEGIC)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _say(text: str) -> None:
    print(text, flush=True)


def main() -> None:
    """Run it until SIGTERM."""
    parser = argparse.ArgumentParser(description="A fake node: processes instead of containers.")
    parser.add_argument("kubeconfig", type=Path)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    node = FakeNode(Api(arguments.kubeconfig), arguments.folder)
    node.register()
    Proxy.serve(node.port_of)
    _say("ready")
    beat = time.monotonic()
    try:
        while True:
            try:
                node.look()
                if time.monotonic() - beat > _HEARTBEAT:
                    beat = time.monotonic()
                    node.heartbeat()
            except (OSError, http.client.HTTPException, ApiError) as error:
                _say(f"a round failed: {error!r}")
            time.sleep(_ROUND)
    finally:
        node.stop()


if __name__ == "__main__":
    main()
