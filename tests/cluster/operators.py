"""The operator of the stories: the stand-in, or the real one where somebody has its binary."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any, Final

import yaml
from cluster import operator
from cluster.levels import Level, start_module
from cluster.runner_pod import ACCOUNT, NAMESPACE

BINARY: Final = "MODULEHOST_OPERATOR"
"""The variable with the path of the operator's binary, v0.1.24, which is not ours to carry."""

CRDS: Final = "MODULEHOST_CRDS"
"""The variable with the folder of the operator's CRDs; it is needed with the binary."""

RACES: Final = ("connect: connection refused", '" not found')
"""What an install fails with, for no fault of the module's, in the real operator's two races.

Such an install is tried again. A deletion that has to make a pod can meet them too, and cannot be.
"""

_NAME = "operator"
_OURS = Path(__file__).parent / "crds"


class Operator:
    """Its process, which stories kill and start again."""

    def __init__(self, level: Level) -> None:
        self._level = level
        self._daemons = level.cluster.daemons
        self._binary = os.environ.get(BINARY)
        self.is_real: Final = self._binary is not None
        self.stuck_after: Final = 300.0 if self.is_real else 3.0
        """Seconds that a Module may be on its way."""

    def start(self) -> None:
        """Start it."""
        prefix, environ = self._level.caller()
        if self._binary is None:
            arguments = (
                f"--stuck-after={self.stuck_after}",
                f"--in-cluster={self._level.in_cluster}",
            )
            start_module(
                self._level.cluster, _NAME, operator.__name__, *arguments,
                prefix=prefix, environ=environ,
            )  # fmt: skip
        else:
            kubeconfig = f"--kubeconfig={self._level.cluster.kubeconfig}"
            command = (self._binary, kubeconfig, "--health-probe-bind-address=0")
            self._daemons.start(_NAME, *prefix, *command, ENABLE_WEBHOOKS="false", **environ)

    def kill(self) -> None:
        """End it at once."""
        self._daemons.end(_NAME, number=signal.SIGKILL)

    def pause(self) -> None:
        """Have it do nothing: what is sent to it waits."""
        self._daemons.send(_NAME, signal.SIGSTOP)

    def answer_waits(self) -> bool:
        """Whether an answer is there that it, paused, has not read."""
        pid = self._daemons.pid(_NAME)
        own = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()}
        for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
            fields = line.split()
            port, unread = int(fields[2].split(":")[1], 16), int(fields[4].split(":")[1], 16)
            if f"socket:[{fields[9]}]" in own and port in (80, 3128) and unread:
                return True
        return False


def prepare(level: Level) -> None:
    """Bring to the cluster what an installation of the operator brings, but for its pod."""
    folder = Path(os.environ.get(CRDS, _OURS))
    for path in sorted(folder.glob("*.yaml")):
        level.cluster.kubectl("apply", "-f", str(path))
    names = [f"{name}.batch.forkspacer.com" for name in ("modules", "workspaces")]
    established = ("--for=condition=Established", "--timeout=60s")
    level.cluster.kubectl("wait", *established, *(f"crd/{name}" for name in names))
    subject = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": NAMESPACE}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    about = {"name": ACCOUNT, "namespace": NAMESPACE}
    binding = {"metadata": {"name": ACCOUNT}, "subjects": [subject], "roleRef": role}
    documents: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": about},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            **binding,
        },
    ]
    path = level.cluster.run / "installation.yaml"
    path.write_text(yaml.safe_dump_all(documents))
    level.cluster.kubectl("apply", "-f", str(path))
