"""A control plane: etcd, API server, controller manager and scheduler."""

from __future__ import annotations

import http.client
import json
import secrets
import subprocess
from pathlib import Path
from typing import Final

from cluster.api import Api, ApiError
from cluster.daemons import Daemons
from cluster.network import NODE_ADDRESS, Network

CLUSTER_ADDRESSES: Final = "10.96.0.0/16"
"""Where Services get their addresses."""

_ETCD = "http://127.0.0.1:2379"
_PORT = 6443


class Plane:
    """The control plane below ``run``; whoever starts it has made the network."""

    def __init__(self, programs: Path, run: Path, network: Network, daemons: Daemons) -> None:
        self._programs = programs
        self._run = run
        self._network = network
        self._daemons = daemons
        self._keys = run / "keys"
        self._certificates = run / "apiserver"
        self.kubeconfig: Final = run / "kubeconfig"

    def start(self) -> None:
        """Start it, and wait until pods can be made."""
        self._write_credentials()
        self._start(
            "etcd",
            f"--data-dir={self._run / 'etcd'}",
            "--unsafe-no-fsync",  # the data is thrown away at the end
            "--log-level=warn",
            f"--listen-client-urls={_ETCD}",
            f"--advertise-client-urls={_ETCD}",
            "--listen-peer-urls=http://127.0.0.1:2380",
        )
        self._start(
            "kube-apiserver",
            f"--etcd-servers={_ETCD}",
            f"--advertise-address={NODE_ADDRESS}",
            f"--secure-port={_PORT}",
            f"--cert-dir={self._certificates}",
            f"--service-cluster-ip-range={CLUSTER_ADDRESSES}",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-signing-key-file={self._keys / 'accounts.key'}",
            f"--service-account-key-file={self._keys / 'accounts.pub'}",
            f"--token-auth-file={self._keys / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            # exec and logs would else ask DNS for the node's name, which nobody knows
            "--kubelet-preferred-address-types=InternalIP",
        )
        self._daemons.wait_for("kube-apiserver", self._is_ready)
        alone = (f"--kubeconfig={self.kubeconfig}", "--leader-elect=false")
        self._start(
            "kube-controller-manager",
            *alone,
            "--bind-address=127.0.0.1",
            f"--cert-dir={self._run / 'controller-manager'}",
            f"--service-account-private-key-file={self._keys / 'accounts.key'}",
            f"--root-ca-file={self._certificates / 'apiserver.crt'}",
        )
        self._start(
            "kube-scheduler",
            *alone,
            "--bind-address=127.0.0.1",
            f"--cert-dir={self._run / 'scheduler'}",
        )
        # no pod is admitted before
        self._daemons.wait_for("kube-controller-manager", self._has_accounts)

    def end(self) -> None:
        """End it. No good-byes for what is thrown away: the API server would wait for watchers."""
        names = ("kube-controller-manager", "kube-scheduler", "kube-apiserver", "etcd")
        self._daemons.end(*names, number=9)

    def api(self) -> Api:
        """A client for outside of the cluster's network."""
        return Api(self.kubeconfig, self._network)

    def _start(self, name: str, *options: str) -> None:
        self._daemons.start(name, self._programs / name, *options)

    def _is_ready(self) -> bool:
        try:
            self.api().find("nodes")
        except (OSError, http.client.HTTPException, ApiError):
            return False
        return True

    def _has_accounts(self) -> bool:
        return self.api().get("serviceaccounts", "default", "default") is not None

    def _write_credentials(self) -> None:
        self._keys.mkdir(mode=0o700, parents=True)
        key, public = self._keys / "accounts.key", self._keys / "accounts.pub"
        for arguments in (
            ("genrsa", "-out", str(key), "2048"),
            ("rsa", "-in", str(key), "-pubout", "-out", str(public)),
        ):
            subprocess.run(["openssl", *arguments], check=True, capture_output=True)
        token = secrets.token_hex(16)
        (self._keys / "tokens.csv").write_text(f"{token},admin,1,system:masters\n")
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "tests",
            "clusters": [
                {
                    "name": "tests",
                    "cluster": {
                        "server": f"https://{NODE_ADDRESS}:{_PORT}",
                        "certificate-authority": str(self._certificates / "apiserver.crt"),
                    },
                }
            ],
            "users": [{"name": "admin", "user": {"token": token}}],
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "admin"}}],
        }
        self.kubeconfig.touch(mode=0o600)
        self.kubeconfig.write_text(json.dumps(config, indent=1))
