"""The two levels of the cluster: who runs the pods, and how one looks into them."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Protocol

from cluster import fakenode, fakeproxy
from cluster.cluster import Cluster
from cluster.network import NODE_ADDRESS
from cluster.runner_pod import NAMESPACE

TESTS: Final = Path(__file__).parents[1]

Done = subprocess.CompletedProcess[str]


class Level(Protocol):
    """A cluster whose pods are run."""

    cluster: Cluster
    in_cluster: str
    """The API server as pods reach it."""

    def caller(self) -> tuple[list[str], dict[str, str]]:
        """What a process in the cluster's network needs to call Services: a prefix, variables."""

    def execute(self, pod: str, *command: str) -> Done:
        """Run a command in a pod of the operator's namespace."""

    def log(self, pod: str) -> str:
        """What the pod has printed."""


class FakeLevel:
    """Level 1: the fake node, and processes for pods."""

    def __init__(self, cluster: Cluster, pods: Path) -> None:
        self.cluster = cluster
        self.in_cluster = f"https://{NODE_ADDRESS}:6443"
        self._pods = pods

    def caller(self) -> tuple[list[str], dict[str, str]]:
        """Through the proxy."""
        return [], {"HTTP_PROXY": fakeproxy.URL, "NO_PROXY": f"{NODE_ADDRESS},10.96.0.0/16"}

    def execute(self, pod: str, *command: str) -> Done:
        """In the namespaces and with the environment of the pod's first process."""
        pid = (self._pods / pod / "pid").read_text()
        variables = Path(f"/proc/{pid}/environ").read_text().rstrip("\0").split("\0")
        environ = dict(variable.split("=", 1) for variable in variables)
        environ["PATH"] = f"{Path(sys.executable).parent}:{environ['PATH']}"
        enter = ["nsenter", f"--target={pid}", "--mount", "--net", "--"]
        return subprocess.run(
            [*enter, *command], env=environ, capture_output=True, text=True, check=False
        )

    def log(self, pod: str) -> str:
        """Its file, which stays when the pod goes."""
        return (self._pods / pod / "log").read_text()


class RealLevel:
    """Level 2: a real node, and containers."""

    in_cluster = "https://10.96.0.1:443"

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._names = cluster.run / "names"
        self._names.write_text(f"nameserver {NODE_ADDRESS}\n")

    def caller(self) -> tuple[list[str], dict[str, str]]:
        """With the cluster's DNS."""
        bind = f'mount --bind {self._names} /etc/resolv.conf && exec "$@"'
        return ["unshare", "--mount", "sh", "-c", bind, "sh"], {}

    def execute(self, pod: str, *command: str) -> Done:
        """``kubectl exec``."""
        return self.cluster.kubectl("exec", f"-n{NAMESPACE}", pod, "--", *command, check=False)

    def log(self, pod: str) -> str:
        """``kubectl logs``."""
        return self.cluster.kubectl("logs", f"-n{NAMESPACE}", pod, check=False).stdout


@contextlib.contextmanager
def fake(home: Path) -> Iterator[FakeLevel]:
    """A plane with the fake node."""
    with _running(Cluster(home), real_node=False) as cluster:
        pods = cluster.run / "pods"
        start_module(cluster, "fake-node", fakenode.__name__, str(pods))
        log = cluster.daemons.log("fake-node")
        cluster.daemons.wait_for("fake-node", lambda: "ready" in log.read_text())
        yield FakeLevel(cluster, pods)
        # its pods end with it
        cluster.daemons.end("fake-node", seconds=30)


@contextlib.contextmanager
def real(home: Path, images: list[Path]) -> Iterator[RealLevel]:
    """A plane with a real node that has the images."""
    with _running(Cluster(home), real_node=True) as cluster:
        for image in images:
            cluster.node.load(image)
        yield RealLevel(cluster)


def start_module(
    cluster: Cluster,
    name: str,
    module: str,
    *arguments: str,
    prefix: list[str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> None:
    """Start ``python -m MODULE KUBECONFIG ...`` in the cluster's network."""
    command = [*(prefix or ()), sys.executable, "-m", module, str(cluster.kubeconfig), *arguments]
    path = os.pathsep.join((str(TESTS), os.environ.get("PYTHONPATH", "")))
    cluster.daemons.start(name, *command, PYTHONPATH=path, **(environ or {}))


@contextlib.contextmanager
def _running(cluster: Cluster, *, real_node: bool) -> Iterator[Cluster]:
    try:
        cluster.start(real_node=real_node)
        yield cluster
    finally:
        cluster.stop()
