"""A real node: containerd, kubelet, CNI, kube-proxy and DNS."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Final

from cluster import archive, traces
from cluster.api import Api
from cluster.daemons import Daemons
from cluster.network import NODE_ADDRESS

NAME: Final = "node1"

TOOLS: Final = {
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/ptp": "containernetworking-plugins",
    "iptables": "iptables",
    "conntrack": "conntrack",
}
"""What it takes beside Kubernetes' own programs, with the packages that have it."""

_PAUSE = "localhost/pause:1"
_CONTAINERD = """
version = 2
root = "{run}/containerd/root"
state = "{run}/containerd/state"
[grpc]
  address = "{socket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{run}/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  # without CAP_SYS_RESOURCE no process may lower its score, and every sandbox would fail
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{run}/cni"
"""
_COREFILE = """
.:53 {{
  bind {address}
  errors
  kubernetes cluster.local {{
    kubeconfig {kubeconfig} tests
  }}
}}
"""


class Node:
    """The node below ``run``. One at a time on a machine: kubelets share the cgroups."""

    def __init__(self, programs: Path, run: Path, daemons: Daemons, kubeconfig: Path) -> None:
        self._programs = programs
        self._run = run
        self._daemons = daemons
        self._kubeconfig = kubeconfig
        self._socket = run / "containerd.sock"
        self._traces = traces.Traces(run)

    def start(self, api: Api) -> None:
        """Start it, and wait until it is ready."""
        self._traces.prepare()
        self._start_containerd()
        pause = self._run / "pause.tar"
        archive.write(pause, _PAUSE, self._programs / "pause")
        self.load(pause)
        self._start_kubelet()
        self._start_proxy()
        corefile = self._run / "Corefile"
        corefile.write_text(_COREFILE.format(address=NODE_ADDRESS, kubeconfig=self._kubeconfig))
        self._daemons.start("dns", self._programs / "dns", "-conf", corefile)
        self._daemons.wait_for("kubelet", lambda: _is_ready(api))

    def end(self) -> None:
        """End it with all its containers, and take back what it has left on the machine."""
        # no good-byes: this takes no containerd that still answers
        self._daemons.end("kubelet", "containerd", "kube-proxy", "dns", number=9)
        self._traces.remove()

    def load(self, image: Path) -> None:
        """Bring the images of a docker archive to the node."""
        ctr = ("ctr", f"--address={self._socket}", "--namespace=k8s.io")
        subprocess.run([*ctr, "images", "import", str(image)], check=True, capture_output=True)

    def _start_containerd(self) -> None:
        self._write_json("cni/10-pods.conflist", _pod_network(self._run))
        config = self._run / "containerd.toml"
        config.write_text(_CONTAINERD.format(run=self._run, socket=self._socket, pause=_PAUSE))
        self._daemons.start("containerd", "containerd", "--config", config)
        self._daemons.wait_for("containerd", self._answers)

    def _answers(self) -> bool:
        command = ["ctr", f"--address={self._socket}", "version"]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0

    def _start_kubelet(self) -> None:
        root = self._run / "kubelet"
        root.mkdir()
        names = self._run / "resolv.conf"
        names.touch()  # pods ask the cluster's DNS only
        config = {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "failCgroupV1": False,  # deprecated, and what some machines have
            "cgroupDriver": "cgroupfs",
            "enforceNodeAllocatable": [],
            "containerRuntimeEndpoint": f"unix://{self._socket}",
            "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
            "authorization": {"mode": "AlwaysAllow"},
            "clusterDomain": "cluster.local",
            "clusterDNS": [NODE_ADDRESS],
            "resolvConf": str(names),
            "failSwapOn": False,
            "evictionHard": {"memory.available": "100Mi"},
            "volumePluginDir": str(root / "plugins"),
            "podLogsDir": str(self._run / "podlogs"),
        }
        self._daemons.start(
            "kubelet",
            self._programs / "kubelet",
            f"--config={self._write_json('kubelet.yaml', config)}",
            f"--kubeconfig={self._kubeconfig}",
            f"--root-dir={root}",
            f"--cert-dir={root / 'pki'}",
            f"--hostname-override={NAME}",
            f"--node-ip={NODE_ADDRESS}",
        )

    def _start_proxy(self) -> None:
        never = {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s"}
        config = {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "iptables",
            "hostnameOverride": NAME,
            "clusterCIDR": "10.244.0.0/16",
            "clientConnection": {"kubeconfig": str(self._kubeconfig)},
            # these limits are the whole machine's
            "conntrack": {**never, "tcpCloseWaitTimeout": "0s"},
            # with the default of 1 s a fresh Service refuses connections for a second
            "iptables": {"minSyncPeriod": "10ms"},
        }
        path = self._write_json("proxy.yaml", config)
        self._daemons.start("kube-proxy", self._programs / "kube-proxy", f"--config={path}")

    def _write_json(self, name: str, document: dict[str, Any]) -> Path:
        path = self._run / name  # JSON is YAML, too
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(document, indent=1))
        return path


def _pod_network(run: Path) -> dict[str, Any]:
    """Every pod on a routed pair of interfaces: no bridge, and no module for its netfilter."""
    addresses = {
        "type": "host-local",
        "dataDir": str(run / "ipam"),
        "ranges": [[{"subnet": "10.244.0.0/24"}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    plugin = {"type": "ptp", "ipMasq": False, "ipam": addresses}
    return {"cniVersion": "1.0.0", "name": "pods", "plugins": [plugin]}


def _is_ready(api: Api) -> bool:
    node = api.get("nodes", "", NAME)
    conditions = node["status"].get("conditions", []) if node else []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
