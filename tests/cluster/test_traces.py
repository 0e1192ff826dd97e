"""A cluster that is taken away leaves nothing behind, whatever state it was in.

There can be one real node on a machine, so these come first: no other is there yet.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cluster import traces
from cluster.cluster import Cluster
from cluster.levels import TESTS
from e2e.containers import ROOT
from support.processes import wait_until

_FOLDERS = ("/run/containerd", "/var/lib/cni", "/var/lib/kubelet")
_LOGS = ("/var/log/containers", "/var/log/pods")


def machine(home: Path) -> dict[str, object]:
    """What a cluster could leave on a machine, as it is now: others may be at work on it, too."""
    own = (f"{home}/", f"/run/netns/{Cluster(home).network.name}", "/run/netns/cni-")
    mounts = {line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()}
    rules = subprocess.run(["iptables-save"], capture_output=True, text=True, check=False)
    return {
        "processes": {path.name for path in Path("/proc").glob("[0-9]*") if _is_of(path, home)},
        "sysctls": {name: Path("/proc/sys", name).read_text() for name in traces.SYSCTLS},
        "cgroups": traces.pod_cgroups(),
        "mounts": {mount for mount in mounts if mount.startswith(own)},
        "namespaces": {
            str(path) for path in Path("/run/netns").glob("*") if str(path).startswith(own)
        },
        "files": {
            str(path)
            for folder in (*_FOLDERS, *_LOGS)
            for path in Path(folder).rglob("*")
            if not path.is_dir()
        },
        "rules": {line for line in rules.stdout.splitlines() if "KUBE" in line},
    }


def _is_of(process: Path, home: Path) -> bool:
    try:
        return str(home).encode() in (process / "cmdline").read_bytes()
    except OSError:
        return False


def make(home: Path, action: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What ``make cluster`` and ``make cluster-down`` run."""
    command = [sys.executable, "-m", "cluster", action, f"--home={home}", *arguments]
    environ = {**os.environ, "PYTHONPATH": str(TESTS)}
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


def nothing(cluster: Cluster) -> None:
    """The cluster is as it should be."""


def crash(cluster: Cluster) -> None:
    """Its programs die, and leave their containers running."""
    for name in ("containerd", "kubelet", "kube-apiserver"):
        cluster.daemons.end(name, number=9)


@pytest.mark.parametrize("happens", [nothing, crash], ids=["as it should be", "after a crash"])
def test_make_cluster_gives_one_and_cluster_down_takes_it_away(
    home: Path, images: Path, happens: Callable[[Cluster], None]
) -> None:
    """The documents of ``deploy/`` make a module in it; afterwards the machine is as before."""
    before = machine(home)
    made = make(home, "up", f"--images={images}")
    assert made.returncode == 0, made.stdout + made.stderr
    cluster = Cluster(home)
    try:
        assert f"{home}/kubectl apply -f deploy/module.yaml" in made.stdout
        cluster.kubectl("apply", "-f", str(ROOT / "deploy/network-policy.yaml"))
        cluster.kubectl("apply", "-f", str(ROOT / "deploy/module.yaml"))
        phase = ("get", "module", "my-app", "-o", "jsonpath={.status.phase}")
        wait_until(lambda: cluster.kubectl(*phase).stdout == "ready", "my-app is ready", 60)
        assert machine(home) != before
        assert "make cluster-down" in make(home, "up").stderr
        happens(cluster)
    finally:
        down = make(home, "down")
    assert down.returncode == 0, down.stdout + down.stderr
    assert machine(home) == before
    assert make(home, "down").returncode == 0
    assert not home.exists()


def test_a_start_that_fails_leaves_nothing_either(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of a control plane is taken away as a whole one is."""
    before = machine(home)
    monkeypatch.setattr(Cluster, "api", lambda self: 1 / 0)
    cluster = Cluster(home)
    with pytest.raises(ZeroDivisionError):
        cluster.start(real_node=True)
    assert machine(home) != before
    cluster.stop()
    assert machine(home) == before
