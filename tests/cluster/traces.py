"""What a node leaves outside of its own folder, and how it is taken back."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
from pathlib import Path

from support.processes import wait_until

SYSCTLS = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
"""The kernel's settings that a kubelet changes, for the whole machine."""

_SETTINGS = Path("/proc/sys")
_CGROUPS = Path("/sys/fs/cgroup")
_RUNC = "/run/containerd/runc/k8s.io"
_CNI_RESULTS = Path("/var/lib/cni/results")
_DEVICE_PLUGINS = Path("/var/lib/kubelet/device-plugins")  # whatever its root is
_CONTAINER_LOGS = Path("/var/log/containers")


class Traces:
    """Those of the node below ``run``."""

    def __init__(self, run: Path) -> None:
        self._run = run
        self._settings = run / "sysctls.json"

    def prepare(self) -> None:
        """Note how the machine is. An AssertionError when it is not free for a node."""
        found = pod_cgroups()
        assert not found, f"another node runs on this machine, or has left {found[0]} behind"
        settings = {name: (_SETTINGS / name).read_text().strip() for name in SYSCTLS}
        self._settings.write_text(json.dumps(settings))

    def remove(self) -> None:
        """Take back everything, once all that could bring more of it has ended. Safe to repeat."""
        for bundle in self._run.glob("containerd/state/io.containerd.runtime.v2.task/k8s.io/*"):
            self._remove_container(bundle)
        self._remove_namespaces()
        for link in _CONTAINER_LOGS.glob("*"):
            if link.is_symlink() and link.readlink().is_relative_to(self._run):
                link.unlink()
        unmount_below(self._run)
        if self._settings.exists():
            # a cgroup can be removed only some moments after its last process has ended
            wait_until(_remove_pod_cgroups, "the pods' cgroups are removed")
            for name, value in json.loads(self._settings.read_text()).items():
                if (_SETTINGS / name).read_text().strip() != value:
                    (_SETTINGS / name).write_text(value)
            for path in _DEVICE_PLUGINS.glob("kubelet*"):
                path.unlink()
            self._settings.unlink()

    def _remove_container(self, bundle: Path) -> None:
        """End a container: its processes and cgroups, and what is left of it elsewhere."""
        shim = _parent(bundle / "init.pid")
        command = ["runc", "--root", _RUNC, "delete", "--force", bundle.name]
        subprocess.run(command, check=False, capture_output=True)
        if shim and str(self._run) in _command(shim):
            with contextlib.suppress(ProcessLookupError):
                os.kill(shim, signal.SIGKILL)
        with contextlib.suppress(OSError):
            socket = (bundle / "address").read_text()
            Path(socket.removeprefix("unix://")).unlink()
        for result in _CNI_RESULTS.glob(f"*-{bundle.name}-*"):
            result.unlink()

    def _remove_namespaces(self) -> None:
        """Those of all pods that containerd has known, whatever has become of their containers."""
        for database in (self._run / "containerd" / "root").glob("*/meta.db"):
            for name in set(re.findall(rb"/netns/(cni-[0-9a-f-]{36})", database.read_bytes())):
                path = Path("/run/netns", name.decode())
                if path.exists():
                    subprocess.run(
                        ["umount", "--lazy", str(path)], check=False, capture_output=True
                    )
                    path.unlink()


def unmount_below(folder: Path) -> None:
    """Unmount whatever is mounted in the folder."""
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in sorted(mounts, reverse=True):
        if mount.startswith(f"{folder}/"):
            subprocess.run(["umount", "--lazy", mount], check=False)


def pod_cgroups() -> list[Path]:
    """The groups of a kubelet's pods: of cgroup v1 in each hierarchy, or of v2."""
    return [path for path in (_CGROUPS / "kubepods", *_CGROUPS.glob("*/kubepods")) if path.is_dir()]


def _remove_pod_cgroups() -> bool:
    for root in pod_cgroups():
        for folder, _, _ in os.walk(root, topdown=False):
            with contextlib.suppress(OSError):
                Path(folder).rmdir()
    return not pod_cgroups()


def _parent(file: Path) -> int | None:
    """The parent of the process whose number is in the file."""
    try:
        status = Path(f"/proc/{int(file.read_text())}/stat").read_text()
    except (OSError, ValueError):
        return None
    return int(status.rpartition(")")[2].split()[1])


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
