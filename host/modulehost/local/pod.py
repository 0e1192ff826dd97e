"""The host of a Module: ``modulehost serve`` in a session of its own, which outlives the command.

A process is taken for ours by a mark in its environment: what has come after it under the same
number, after a restart of the machine for example, is left alone.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import subprocess
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from modulehost.local.errors import RefusedError
from modulehost.local.state import Pod
from modulehost.local.store import Home
from modulehost.plugin.config import FILE
from modulehost.shared.errors import one_line
from modulehost.shared.kubeconfig import KUBECONFIG
from modulehost.testing.operator import IDLE_CONNECTION
from modulehost.testing.server import HostStartError, ModuleServer

_MARK: Final = "MODULEHOST_LOCAL"
_STOP: Final = 30.0  # seconds that Kubernetes gives a pod


def start(
    home: Home,
    plugin: str,
    config: dict[str, Any] | None,
    kubeconfig: str | None,
    environ: dict[str, str],
) -> Pod:
    """Start the host with that config, and wait until it listens. Raises RefusedError."""
    mark = uuid.uuid4().hex
    shutil.rmtree(home.state, ignore_errors=True)  # of a pod that was before
    try:
        home.config.mkdir(mode=0o700, exist_ok=True)
        for private in (home.log, home.config / FILE, home.config / KUBECONFIG):
            private.touch(mode=0o600)
        if kubeconfig is None:
            (home.config / KUBECONFIG).unlink()
        else:
            shutil.copyfile(kubeconfig, home.config / KUBECONFIG)
        settings = {**environ, _MARK: mark}
        server = ModuleServer(home.path.absolute(), plugin, config, outlives=True, **settings)
        try:
            server.start()
        except BaseException:
            server.stop()  # nobody would know of it
            raise
    except OSError as error:
        raise RefusedError(f"{error.filename} cannot be used: {error.strerror}") from None
    except HostStartError as error:
        raise RefusedError(one_line(f"{home.name}: {error}")) from None
    return Pod(server.pid, server.port, mark)


def service_links(services: dict[str, int]) -> dict[str, str]:
    """The variables that Kubernetes adds to a pod for Services, by name and port: seven each."""
    environ: dict[str, str] = {}
    for name, port in services.items():
        prefix = name.upper().replace("-", "_")
        address = f"tcp://127.0.0.1:{port}"
        environ |= {
            f"{prefix}_SERVICE_HOST": "127.0.0.1",
            f"{prefix}_SERVICE_PORT": str(port),
            f"{prefix}_PORT": address,
            f"{prefix}_PORT_80_TCP": address,
            f"{prefix}_PORT_80_TCP_PROTO": "tcp",
            f"{prefix}_PORT_80_TCP_PORT": str(port),
            f"{prefix}_PORT_80_TCP_ADDR": "127.0.0.1",
        }
    return environ


def keep_open(pod: Pod, connection: socket.socket) -> None:
    """Keep a connection open for as long as the operator does, beyond the end of the command."""
    pod.connection = subprocess.Popen(
        ["sleep", f"{IDLE_CONNECTION:g}"],  # noqa: S607 - wherever the system has it
        env={**os.environ, _MARK: pod.mark},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=[connection.fileno()],
        start_new_session=True,
    ).pid


def let_go(pod: Pod) -> None:
    """Close the connection that is kept open, if there is one."""
    if pod.connection:
        stop(Pod(pod.connection, pod.port, pod.mark))
        pod.connection = 0


def is_alive(pod: Pod) -> bool:
    """Whether the process is there, and is the one that was started."""
    try:
        environ = Path(f"/proc/{pod.pid}/environ").read_bytes()  # a zombie's is empty
    except OSError:
        return False
    return f"{_MARK}={pod.mark}".encode() in environ.split(b"\0")


def stop(pod: Pod) -> None:
    """Stop it as Kubernetes does: SIGTERM, and SIGKILL after 30 s."""
    try:
        process = os.pidfd_open(pod.pid)
    except OSError:
        return
    try:
        for number, seconds in ((signal.SIGTERM, _STOP), (signal.SIGKILL, 5.0)):
            if not is_alive(pod):
                break
            signal.pidfd_send_signal(process, number)
            if select.select([process], (), (), seconds)[0]:
                break
        with suppress(ChildProcessError):
            os.waitpid(pod.pid, os.WNOHANG)  # when this command has started it
    except ProcessLookupError:
        pass
    finally:
        os.close(process)
