"""A cluster for a person: ``make cluster`` and ``make cluster-down``.

It has a real node, the example's image under the name that ``deploy/module.yaml`` gives it, the
workspace of that file, and the tests' stand-in for the operator.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
from pathlib import Path

from cluster import node_images, operators
from cluster.cluster import Cluster, why_not
from cluster.levels import RealLevel
from cluster.operators import Operator
from e2e import containers

_HOME = Path("/var/tmp/modulehost-cluster")
_WORKSPACE = "dev-workspace"

_TOLD = """
A cluster with one node, and a stand-in for the operator. It is in a network of its own: from here
only these two reach it.

    {home}/kubectl get nodes
    {home}/kubectl apply -f deploy/module.yaml
    {home}/in curl ...      runs a command in its network; KUBECONFIG={kubeconfig}

make cluster-down takes it away.
"""


def up(home: Path, images: Path | None) -> None:
    """Bring it up, and say how it is used; what does not come up is taken away again."""
    home.mkdir(parents=True, exist_ok=True)
    cluster = Cluster(home)
    if cluster.exists:
        sys.exit(f"there is a cluster in {home}: make cluster-down takes it away")
    try:
        cluster.start(real_node=True)
        cluster.node.load(images or _build(cluster.run / "images.tar"))
        level = RealLevel(cluster)
        operators.prepare(level)
        workspace = {
            "apiVersion": "batch.forkspacer.com/v1",
            "kind": "Workspace",
            "metadata": {"name": _WORKSPACE},
            "spec": {"connection": {"type": "in-cluster"}},
        }
        cluster.api().create("workspaces", "default", workspace)
        Operator(level).start()
    except BaseException:
        cluster.stop()
        raise
    print(_TOLD.format(home=home, kubeconfig=cluster.kubeconfig))


def down(home: Path) -> None:
    """Take it away, with its logs."""
    Cluster(home).stop()
    shutil.rmtree(home / "log", ignore_errors=True)
    with contextlib.suppress(OSError):
        home.rmdir()  # others may have something in it


def _build(target: Path) -> Path:
    with containers.engine() as engine:
        node_images.build(engine, target)
    return target


def main() -> None:
    """Do as the command line says."""
    parser = argparse.ArgumentParser(prog="make cluster", description="A Kubernetes to try with.")
    parser.add_argument("action", choices=["up", "down"])
    parser.add_argument("--home", type=Path, default=_HOME, help="its folder (%(default)s)")
    parser.add_argument("--images", type=Path, help="a docker archive, instead of a build")
    arguments = parser.parse_args()
    if reason := why_not():
        sys.exit(f"no cluster can be made: {reason}")
    if arguments.action == "up":
        up(arguments.home, arguments.images)
    else:
        down(arguments.home)


if __name__ == "__main__":
    main()
