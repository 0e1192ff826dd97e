"""A cluster below one folder: brought up, used, and taken away without a trace.

``DIR/kubectl`` is kubectl for it, ``DIR/in COMMAND`` runs a command in its network, ``DIR/log``
keeps what its programs print.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

from cluster import node, programs
from cluster.api import Api
from cluster.daemons import Daemons
from cluster.network import Network
from cluster.node import Node
from cluster.plane import Plane
from cluster.traces import unmount_below
from e2e import debian

_TOOLS = {"ip": "iproute2", "nsenter": "util-linux", "openssl": "openssl"}
_LONGEST = 60  # there are Unix sockets below the folder
_WRAPPERS = {"in": "exec {inside} ", "kubectl": "exec {inside} {kubectl} --kubeconfig={config} "}


def why_not() -> str | None:
    """Why there can be no cluster on this machine; None when there can."""
    return debian.why_not() or programs.why_not()


class Cluster:
    """One cluster; several can be on a machine, of which one has a real node."""

    def __init__(self, home: Path) -> None:
        self.home = home.resolve()
        assert re.fullmatch(r"[\w./-]+", str(self.home)), f"{home}: the path goes into settings"
        assert len(str(self.home)) <= _LONGEST, f"{home}: the path is too long for Unix sockets"
        self.run: Final = self.home / "run"
        """What goes with the cluster."""

        digest = hashlib.sha256(str(self.home).encode()).hexdigest()
        self.network: Final = Network(f"modulehost-{digest[:8]}")
        self.daemons: Final = Daemons(self.run / "pids", self.home / "log", self.network.inside)
        self._programs = programs.folder()
        self.kubeconfig: Final = self.run / "kubeconfig"

    @property
    def exists(self) -> bool:
        """Whether there is one, or what is left of one."""
        return self.run.exists()

    def start(self, *, real_node: bool = False) -> None:
        """Bring it up, building and installing what that takes; with a real node if wanted."""
        assert not self.exists, f"there is a cluster in {self.home}: take it away first"
        if reason := why_not():
            raise RuntimeError(f"no cluster can be made: {reason}")
        programs.build()
        debian.install({**_TOOLS, **(node.TOOLS if real_node else {})})
        self.run.mkdir(parents=True, mode=0o700)
        self.network.create()
        self._write_wrappers()
        self._plane.start()
        if real_node:
            self.node.start(self.api())

    def stop(self) -> None:
        """Take it away, whatever is left of it. Safe to repeat."""
        if not self.exists:
            return
        self.node.end()
        self._plane.end()
        self.daemons.end(*(path.name for path in (self.run / "pids").glob("*")))
        self.network.remove()
        unmount_below(self.run)
        shutil.rmtree(self.run)
        for name in _WRAPPERS:
            (self.home / name).unlink(missing_ok=True)

    def api(self) -> Api:
        """A client for this process, which is outside of the cluster's network."""
        return self._plane.api()

    def kubectl(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run kubectl; with ``check`` an AssertionError when it fails."""
        command = [str(self.home / "kubectl"), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, f"{' '.join(arguments)}: {done.stderr}"
        return done

    @property
    def _plane(self) -> Plane:
        return Plane(self._programs, self.run, self.network, self.daemons)

    @property
    def node(self) -> Node:
        """The real node."""
        return Node(self._programs, self.run, self.daemons, self.kubeconfig)

    def _write_wrappers(self) -> None:
        names = {
            "inside": " ".join(self.network.inside),
            "kubectl": self._programs / "kubectl",
            "config": self.kubeconfig,
        }
        for name, command in _WRAPPERS.items():
            path = self.home / name
            path.write_text(f'#!/bin/sh\n{command.format(**names)}"$@"\n')
            path.chmod(0o755)
