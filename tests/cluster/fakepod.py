"""A pod of the fake node: ``modulehost serve`` with the files that a kubelet would mount."""

from __future__ import annotations

import base64
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from cluster.api import Api, Document
from cluster.images import Image
from support import site
from support.host import free_port

_ACCOUNT = "/run/secrets/kubernetes.io/serviceaccount"
# /run is the pod's own: what is at home there does not see it, and it goes with the process
_MOUNT = f'mount -t tmpfs none /run && mkdir -p {_ACCOUNT} && cp "$0"/* {_ACCOUNT} && exec "$@"'
_LISTENS_WITHIN = 10.0


class FakePod:
    """One pod, from its start on. ``folder/NAME`` has its files, its log and its number."""

    def __init__(self, api: Api, folder: Path, pod: Document, image: Image, address: str) -> None:
        name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
        self.address = address  # nothing listens there: loopback ones are no endpoints
        self._port = free_port()
        self._home = folder / name
        shutil.rmtree(self._home, ignore_errors=True)
        # read before the pod is set running: its owner may delete the Secret from then on
        secrets = [volume["secret"]["secretName"] for volume in pod["spec"]["volumes"]
                   if "secret" in volume]  # fmt: skip
        for secret in secrets:
            found = api.get("secrets", namespace, secret)
            data = found["data"] if found else {}
            self._write("config", {key: base64.b64decode(text) for key, text in data.items()})
        self._write("account", _account(api, pod))
        site.install(self._home / "site", image.plugin)
        server = api.server.removeprefix("https://").split(":")
        environ = {
            **{key: value for key, value in os.environ.items() if not key.startswith("MODULE")},
            "PYTHONPATH": str(self._home / "site"),
            "HOSTNAME": name,
            "KUBERNETES_SERVICE_HOST": server[0],
            "KUBERNETES_SERVICE_PORT": server[1],
            "MODULE_CONFIG_DIR": str(self._home / "config"),
            "MODULE_STATE_DIR": str(self._home / "state"),
            "MODULE_LOG_FORMAT": "json",
            "MODULE_PLUGIN": image.plugin,
            **image.settings,
            "PORT": str(self._port),
        }
        command = ("sh", "-c", _MOUNT, str(self._home / "account"), sys.executable)
        with (self._home / "log").open("wb") as log:
            self._process = subprocess.Popen(
                ["unshare", "--mount", *command, "-m", "modulehost", "serve"], env=environ,
                cwd=self._home, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        (self._home / "pid").write_text(str(self._process.pid))

    @property
    def status(self) -> int | None:
        """Its exit status, None while it runs."""
        return self._process.poll()

    @classmethod
    def any_port(cls, pods: list[Self], addresses: set[str]) -> int | None:
        """The port of one of the pods that have these addresses."""
        ports = [pod._port for pod in pods if pod.address in addresses]
        return random.choice(ports) if ports else None

    def await_port(self) -> None:
        """Until it listens; one that never does is called running all the same."""
        end = time.monotonic() + _LISTENS_WITHIN
        while self.status is None and time.monotonic() < end:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self._port), 1):
                return
            time.sleep(0.02)

    def stop(self, seconds: float) -> int:
        """Stop it as a kubelet does; its exit status."""
        self._process.terminate()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)  # with all that it has started
        return self._process.wait()

    def _write(self, folder: str, files: dict[str, bytes]) -> None:
        (self._home / folder).mkdir(parents=True, mode=0o700)
        for name, content in files.items():
            (self._home / folder / name).write_bytes(content)


def _account(api: Api, pod: Document) -> dict[str, bytes]:
    """The files of the pod's service account."""
    namespace = pod["metadata"]["namespace"]
    path = api.path("serviceaccounts", namespace, pod["spec"]["serviceAccountName"], "token")
    token = api.call("POST", path, {"spec": {"expirationSeconds": 3607}})["status"]["token"]
    texts = {"token": token, "ca.crt": api.authority, "namespace": namespace}
    return {name: text.encode() for name, text in texts.items()}
