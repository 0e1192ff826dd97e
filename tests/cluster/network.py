"""A network namespace of the cluster's own, without a way out."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import threading
from pathlib import Path
from typing import Final

NODE_ADDRESS: Final = "10.200.0.1"
"""The node's address; only those in the namespace reach it."""

_NAMESPACES = Path("/run/netns")
_CLONE_NEWNET = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)


class Network:
    """A network namespace; it lasts until it is removed."""

    def __init__(self, name: str) -> None:
        self.name: Final = name
        self._file = _NAMESPACES / name
        # not ip netns exec: that mounts /sys anew, and hides the hierarchies of cgroup v1
        self.inside: Final = ["nsenter", f"--net={self._file}"]

    @property
    def exists(self) -> bool:
        """Whether it has been created."""
        return self._file.exists()

    def create(self) -> None:
        """Make it, with the node's address and a route that leads nowhere."""
        _run("ip", "netns", "add", self.name)
        for command in (
            ["link", "set", "lo", "up"],
            # both ends in here: not every kernel has the dummy driver
            ["link", "add", "node0", "type", "veth", "peer", "name", "node1"],
            ["addr", "add", f"{NODE_ADDRESS}/24", "dev", "node0"],
            ["link", "set", "node0", "up"],
            ["link", "set", "node1", "up"],
            # a Service's address needs a route before kube-proxy's rules rewrite it
            ["route", "add", "default", "via", "10.200.0.254", "dev", "node0"],
        ):
            _run(*self.inside, "ip", *command)
        _run(*self.inside, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")

    def remove(self) -> None:
        """Remove it, and with it all interfaces, routes and rules."""
        if self.exists:
            _run("ip", "netns", "del", self.name)

    def connect(self, address: str, port: int, timeout: float | None) -> socket.socket:
        """A connection from within it, whatever namespace the caller is in."""
        with _at_home, self._file.open() as there, Path("/proc/thread-self/ns/net").open() as home:
            _enter(there.fileno())
            try:
                connection = socket.socket()
            finally:
                _enter(home.fileno())
        connection.settimeout(timeout)
        try:
            connection.connect((address, port))
        except BaseException:
            connection.close()
            raise
        return connection


_at_home = threading.Lock()


def _enter(namespace: int) -> None:
    """Move this thread; the sockets that it has made stay where they are."""
    if _LIBC.setns(namespace, _CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
