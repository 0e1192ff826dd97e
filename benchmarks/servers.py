"""The servers: how each is installed and started, and one that runs."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from platform import machine
from typing import NamedTuple, Self, TypeVar

from client import HEALTH, PATIENCE, Connection
from e2e import go_module
from procfs import command, memory, processor_time, tree

HERE = Path(__file__).parent
BUILD = HERE.parent / "build" / "bench"
OURS, BARE, FUNCTION = "modulehost", "bare Flask", "functions-framework"
GO = "Go server"
NATIVE = HERE.parent / "host" / "native" / "modulehost-listen.c"
STOP = 15.0  # s
POLL = 0.0005  # s; asking faster would take the processor from what is measured


T = TypeVar("T")


class BenchError(Exception):
    """What went wrong, for the person at the terminal."""


class Server(NamedTuple):
    """How a server is started. ``{port}`` and ``{folder}`` are filled in for each process."""

    name: str
    argv: tuple[str, ...]
    environ: Mapping[str, str]
    cwd: Path | None = None

    def given(self, **environ: str) -> Server:
        """The same server with other variables."""
        return self._replace(environ={**self.environ, **environ})


def in_python() -> Server:
    """``modulehost serve`` of this environment with the example plugin, as pip installs it."""
    environ = {
        "MODULE_PLUGIN": "example",
        "MODULE_CONFIG_DIR": "{folder}/config",
        "MODULE_STATE_DIR": "{folder}/state",
        "MODULE_LOG_FORMAT": "json",
        "MODULE_MAX_BODY": "2MiB",  # the peers have no bounds
        "MODULE_MAX_METADATA": "2MiB",
        "EXAMPLE_DIR": "{folder}/example",
    }
    return Server(OURS, (str(Path(sys.executable).with_name("modulehost")), "serve"), environ)


def ours() -> Server:
    """The same as in the image: its first process is the native listener."""
    plain = in_python()
    compiler = _compiler()
    if not compiler:
        print("there is no C compiler: measured without the native listener", file=sys.stderr)
        return plain
    program = BUILD / NATIVE.stem
    BUILD.mkdir(parents=True, exist_ok=True)
    options = ("-std=c11", "-D_GNU_SOURCE", "-Os", "-static", "-s")
    if subprocess.run([*compiler, *options, "-o", program, NATIVE], check=False).returncode:
        raise BenchError("the native listener cannot be built")
    return plain._replace(argv=(str(program), *plain.argv))


def _compiler() -> list[str]:
    """What the image is built with, else the machine's own, which takes a larger C library."""
    if find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "cc", "-target", f"{machine()}-linux-musl"]
    return [*filter(None, map(shutil.which, ("gcc", "cc", "clang")))][:1]


def go_server() -> Server | None:
    """The Go server of the document Custom Module Development; None where it cannot be had."""
    if reason := go_module.why_not():
        print(f"left out: the Go server: {reason}", file=sys.stderr)
        return None
    folder = BUILD / "go"
    folder.mkdir(parents=True, exist_ok=True)
    return Server(GO, (str(go_module.build(folder)),), {})


def peers() -> list[Server]:
    """Flask under gunicorn with the worker that ours stands on, functions-framework, and Go's."""
    python = _environment(HERE / "requirements.txt")
    gunicorn = (python, "-m", "gunicorn", "--worker-class", "gthread", "--threads", "8")
    function = (python, "-m", "functions_framework", "--source", "function.py")
    return [
        Server(BARE, (*gunicorn, "--bind", "127.0.0.1:{port}", "bare:app"), {}, HERE / "peers"),
        Server(
            FUNCTION,
            (*function, "--target", "module", "--host", "127.0.0.1", "--port", "{port}"),
            {},
            HERE / "peers",
        ),
        *filter(None, [go_server()]),
    ]


def _environment(requirements: Path) -> str:
    """The Python of a virtual environment with the requirements; made once for each list."""
    key = hashlib.sha256(sys.version.encode() + requirements.read_bytes()).hexdigest()[:12]
    folder = BUILD / key
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        print(f"installing {requirements.name} into {folder}", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
        pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        for argv in ((sys.executable, "-m", "venv", folder), (*pip, "-r", requirements)):
            if subprocess.run(argv, check=False).returncode:
                raise BenchError("the peers cannot be installed; a package index is needed")
        (folder / "complete").touch()
    return str(python)


class Process:
    """A server that runs; leaving the block ends all its processes."""

    def __init__(self, server: Server) -> None:
        self._name = server.name
        self._folder = tempfile.TemporaryDirectory(prefix="modulehost-bench-")
        self.port = _free_port()
        values = {"port": self.port, "folder": self._folder.name}
        environ = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": self._folder.name,
            "LANG": "C.UTF-8",
            "PORT": str(self.port),
            **{name: text.format_map(values) for name, text in server.environ.items()},
        }
        self._log = Path(self._folder.name, "log")
        with self._log.open("wb") as log:
            self.began = time.perf_counter()
            self._popen = subprocess.Popen(
                [word.format_map(values) for word in server.argv],
                cwd=server.cwd,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        descendants = [number for pid in self.pids[1:] if (number := _pidfd(pid)) is not None]
        try:
            self._popen.terminate()
            self._popen.wait(STOP)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
        finally:
            for descriptor in descendants:
                try:
                    signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                except ProcessLookupError:
                    pass  # it has ended, as it should
                os.close(descriptor)
            self._folder.cleanup()

    @property
    def pids(self) -> list[int]:
        """All its processes, the first one first."""
        return tree(self._popen.pid)

    @property
    def memory(self) -> float:
        """MiB of all its processes together."""
        return memory(self.pids)

    @property
    def processor_time(self) -> float:
        """Seconds that all its processes have run."""
        return processor_time(self.pids)

    def sleeps(self) -> None:
        """Wait until one process is left, which has said that it sleeps."""
        self.poll(lambda: len(self.pids) == 1 and "asleep" in self._log.read_text(), "sleep")

    def part(self, role: str) -> int:
        """The arbiter, the front or the runner; raises LookupError when it is not there."""
        runners = [pid for pid in self.pids if "modulehost.runner" in command(pid)]
        if role == "runner":
            return runners[0]
        others = [pid for pid in self.pids if pid not in runners]
        return others[-1 if role == "front" else -2]

    def connect(self) -> Connection:
        """The first connection that is taken."""
        return self.poll(lambda: Connection(self.port), "connection")

    def answers(self, status: int, request: Callable[[], bytes] = lambda: HEALTH) -> None:
        """Ask, each time on a new connection, until the answer has this status."""

        def ask() -> bool:
            with Connection(self.port) as connection:
                return connection.ask(request()) == status

        self.poll(ask, f"answer {status}")

    def poll(self, attempt: Callable[[], T], what: str) -> T:
        """Try until it comes out as something; the server must not end meanwhile."""
        ends = time.perf_counter() + PATIENCE
        while time.perf_counter() < ends and self._popen.poll() is None:
            try:
                if result := attempt():
                    return result
            except OSError:
                pass
            time.sleep(POLL)
        end = self._log.read_text(errors="replace")[-2000:]
        raise BenchError(f"{self._name}: no {what}; the end of its log:\n{end}")


def _pidfd(pid: int) -> int | None:
    """A descriptor of the process, which names no other one later; None when it has gone."""
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


def _free_port() -> int:
    """A free port below those that the kernel gives to clients."""
    while True:
        port = random.randrange(10_000, 30_000)  # noqa: S311
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
