"""Podman with a state of its own, and the containers that it runs."""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

from e2e import debian
from support.processes import command, tree, wait_until

ROOT = Path(__file__).parents[2]
BASE = "localhost/python:base"
PORT = 8080
LISTENER = "modulehost-listen "

HARDENED = (
    *("--read-only", "--read-only-tmpfs=false"),
    *("--tmpfs", "/tmp:rw,noexec,nosuid,nodev,size=16m"),
    *("--cap-drop", "all", "--security-opt", "no-new-privileges"),
    *("--pids-limit", "64", "--memory", "256m"),
)
"""How a careful platform runs a container: /tmp is all that can be written to."""

_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
_CONTAINERS_CONF = """
[containers]
default_ulimits = ["nofile={files}:{files}", "nproc=4096:4096"]
log_driver = "k8s-file"
[network]
network_backend = "netavark"
network_config_dir = "{folder}/networks"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "{folder}/tmp"
"""
_STORAGE_CONF = """
[storage]
driver = "overlay"
graphroot = "{folder}/graph"
runroot = "{folder}/run"
"""


class Reply(NamedTuple):
    """An HTTP answer."""

    status: int
    text: str

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.text)


class Engine:
    """Podman, with the base image imported and nothing else."""

    def __init__(self, folder: Path, cache: Path) -> None:
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        files = 4096 if limit == resource.RLIM_INFINITY else min(limit, 4096)
        for name, text in (("containers", _CONTAINERS_CONF), ("storage", _STORAGE_CONF)):
            (folder / f"{name}.conf").write_text(text.format(folder=folder, files=files))
        self.environ = {
            **os.environ,
            "CONTAINERS_CONF": str(folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
            "DISABLE_HC_SYSTEMD": "true",  # health checks run when a test says so
        }
        self.wheels = folder / "wheels"
        self.wheels.mkdir(mode=0o755)
        self._pip = folder / "pip.conf"
        self._pip.write_text(_pip_settings())
        self._pip.chmod(0o644)
        self._cache = cache
        self.import_base(BASE, debian.PYTHON)

    def import_base(self, name: str, python: str) -> None:
        """Make a base image with that Python."""
        tarball = debian.base_tarball(self._cache, python)
        changes = [f"--change=ENV {variable}" for variable in debian.ENVIRONMENT]
        self("import", "--quiet", *changes, "--change=CMD python", str(tarball), name)

    def __call__(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run podman."""
        return self.run("podman", *arguments, check=check)

    def run(self, *argv: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a program that calls podman."""
        result = subprocess.run(
            argv, cwd=ROOT, env=self.environ, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, errors="replace", check=False,
        )  # fmt: skip
        if check and result.returncode:
            said = (result.stdout + result.stderr)[-4000:]
            raise AssertionError(f"{' '.join(argv)}: exit status {result.returncode}\n{said}")
        return result

    @property
    def build_arguments(self) -> list[str]:
        """Lets the steps of a build reach the package index as this machine does.

        What is mounted for that is there during the steps, and not in the image.
        """
        certificates = _pip_setting("cert") or _CERTIFICATES
        mounts = (
            (certificates, _CERTIFICATES),
            (self._pip, "/etc/pip.conf"),
            (self.wheels, "/mnt"),
        )
        volumes = [f"--volume={here}:{there}:ro" for here, there in mounts]
        return ["--network=host", f"--build-arg=BASE={BASE}", *volumes]

    def build(
        self, dockerfile: str, tag: str, context: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Build what a Dockerfile of a few lines says; the result tells whether it worked."""
        folder = self.wheels.parent
        (folder / "Dockerfile").write_text(dockerfile)
        where = ("--file", str(folder / "Dockerfile"), str(context or self.wheels))
        options = (*self.build_arguments, "--format=docker", "--pull=never")
        return self("build", *options, "--tag", tag, *where, check=False)

    def image(self, image: str) -> dict[str, Any]:
        """What is known of an image."""
        found: dict[str, Any] = json.loads(self("image", "inspect", image).stdout)[0]
        return found

    def output(self, image: str, *argv: str) -> str:
        """What a command prints in a container that is gone afterwards."""
        program, *arguments = argv
        options = ("--rm", "--network=none", "--no-healthcheck", "--entrypoint", program)
        return self("run", *options, image, *arguments).stdout

    @contextmanager
    def mounted(self, image: str) -> Iterator[Path]:
        """The file system of an image."""
        yield Path(self("image", "mount", image).stdout.strip())
        self("image", "unmount", image)


class Container:
    """A container that runs in the background."""

    def __init__(self, engine: Engine, image: str, *options: str, **settings: object) -> None:
        self._engine = engine
        self.name = f"modulehost-{uuid.uuid4().hex[:12]}"
        self._port: int | None = None
        variables = [f"--env={name}={value}" for name, value in settings.items()]
        publish = ("--publish", f"127.0.0.1::{PORT}")
        engine("run", "--detach", "--name", self.name, *publish, *options, *variables, image)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            error.add_note(f"the container's log:\n{self.log()[-6000:]}")
        self._engine("rm", "--force", "--time=1", self.name)

    def state(self) -> dict[str, Any]:
        """What the engine knows of it."""
        found: dict[str, Any] = json.loads(self._engine("inspect", self.name).stdout)[0]
        return found

    def request(self, method: str, path: str, body: str | None = None) -> Reply:
        """One request on a connection of its own, through the published port."""
        connection = http.client.HTTPConnection("127.0.0.1", self._listening_port(), timeout=30)
        with closing(connection):
            connection.request(method, path, body)
            response = connection.getresponse()
            return Reply(response.status, response.read().decode())

    def _listening_port(self) -> int:
        if self._port is None:
            wait_until(lambda: "listening" in self.events(), "the host listens")
            published = self._engine("port", self.name, f"{PORT}/tcp").stdout
            self._port = int(published.rpartition(":")[2])
        return self._port

    def call(self, operation: str, metadata: Any = None) -> Reply:
        """An operator's call."""
        return self.request("POST", f"/{operation}", json.dumps(metadata or {}))

    def health(self) -> Reply:
        """Ask for the health."""
        return self.request("GET", "/health")

    def healthcheck(self) -> int:
        """Have the engine do the image's health check; its exit status."""
        return self._engine("healthcheck", "run", self.name, check=False).returncode

    def execute(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the container."""
        return self._engine("exec", self.name, *argv, check=False)

    def processes(self) -> list[str]:
        """The command lines of what the first process has started, itself first."""
        return [command(pid).strip() for pid in tree(self.state()["State"]["Pid"])]

    def anonymous_memory(self) -> int:
        """Bytes that the first process alone needs."""
        pid = self.state()["State"]["Pid"]
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Anonymous:"))

    def limit_of_processes(self) -> Path:
        """The file that says how many processes it may have."""
        pid = self.state()["State"]["Pid"]
        groups = dict(
            line.split(":", 2)[1:] for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines()
        )
        root = Path("/sys/fs/cgroup")
        folder = root / "pids" / groups["pids"][1:] if "pids" in groups else root / groups[""][1:]
        return folder / "pids.max"

    def wait_until_asleep(self) -> None:
        """Wait until the first process is alone."""
        wait_until(lambda: self.processes()[0].startswith(LISTENER), "the listener alone is left")

    def stop(self) -> int:
        """Stop it as an engine does, SIGKILL after ten seconds; its exit status."""
        self._engine("stop", "--time=10", self.name)
        status: int = self.state()["State"]["ExitCode"]
        return status

    def log(self) -> str:
        """What it has printed."""
        return self._engine("logs", self.name).stdout

    def events(self) -> list[str]:
        """The events in its log."""
        return [json.loads(line)["event"] for line in self.log().splitlines()]


@contextmanager
def engine() -> Iterator[Engine]:
    """An engine; whatever it has made is gone afterwards. One at a time on a machine."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "modulehost-e2e")
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        debian.install_tools()
        # not under /tmp: overlay file systems do not stack on every kind of file system
        folder = Path(tempfile.mkdtemp(prefix="modulehost-e2e-", dir="/var/tmp"))
        try:
            yield Engine(folder, cache)
        finally:
            _remove(folder)


def _remove(folder: Path) -> None:
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in sorted(mounts, reverse=True):
        if mount.startswith(f"{folder}/"):
            subprocess.run(["umount", "--lazy", mount], check=False)
    shutil.rmtree(folder)


def _pip_setting(name: str) -> str:
    """A setting of this machine's pip, of its environment or its files."""
    for key in (f":env:.{name}", f"global.{name}"):
        argv = [sys.executable, "-m", "pip", "config", "get", key]
        result = subprocess.run(argv, capture_output=True, text=True, check=False)
        if result.returncode == 0:
            return result.stdout.strip()
    return ""


def _pip_settings() -> str:
    """A pip.conf for the steps of a build; /mnt holds the wheels of the tests' own plugins."""
    settings: Mapping[str, str] = {
        name: _pip_setting(name)
        for name in ("index-url", "extra-index-url", "trusted-host", "timeout")
    }
    lines = [f"{name} = {value}" for name, value in settings.items() if value]
    return "\n".join(("[global]", "find-links = /mnt", f"cert = {_CERTIFICATES}", *lines, ""))
