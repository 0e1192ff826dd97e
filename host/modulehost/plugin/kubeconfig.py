"""How a Kubernetes API server is reached: by a kubeconfig, or from a pod by its own account."""

from __future__ import annotations

import base64
import os
import ssl
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import msgspec

from modulehost.shared.errors import ModuleError

ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount"


class Access(NamedTuple):
    """An API server, what it is shown, and the namespace to use there."""

    host: str
    port: int
    path: str
    tls: ssl.SSLContext | None
    headers: dict[str, str]
    namespace: str

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def access(kubeconfig: str | None) -> Access:
    """By this kubeconfig, else by the pod's account; raises ModuleError."""
    if kubeconfig is not None:
        try:
            return _by_config(_read(kubeconfig), kubeconfig)
        except (KeyError, TypeError, IndexError, ValueError, AttributeError) as error:
            words = f"{type(error).__name__}: {error}"
            raise ModuleError(f"{kubeconfig} is no kubeconfig that can be used: {words}") from None
        except OSError as error:  # ssl.SSLError, too
            words = error.strerror or str(error)
            raise ModuleError(f"{error.filename or kubeconfig} cannot be used: {words}") from None
    host = os.environ.get("KUBERNETES_SERVICE_HOST")
    if not host:
        raise ModuleError(
            "there is no Kubernetes: no kubeconfig, and this is no pod; have the plugin ask for the"
            " permission workspace, or set MODULE_SECRETS to env or a folder"
        )
    try:
        tls = ssl.create_default_context(cafile=f"{ACCOUNT}/ca.crt")
        port = int(os.environ.get("KUBERNETES_SERVICE_PORT", "443"))
        headers = _bearer(_text(f"{ACCOUNT}/token"))
        return Access(host, port, "", tls, headers, _text(f"{ACCOUNT}/namespace"))
    except OSError as error:
        raise ModuleError(
            f"{error.filename or ACCOUNT} cannot be used: {error.strerror or error}"
        ) from None


def _read(path: str) -> Any:
    with open(path, "rb") as file:  # noqa: PTH123 - pathlib is dear
        data = file.read()
    try:
        return msgspec.json.decode(data)
    except msgspec.DecodeError:
        pass
    try:
        import yaml
    except ModuleNotFoundError:
        raise ModuleError(
            f"{path} is YAML, which takes a package more: pip install 'modulehost[kubernetes]'"
        ) from None
    try:
        return yaml.safe_load(data)
    except yaml.YAMLError:
        raise ValueError("it is no YAML") from None


def _by_config(config: Any, path: str) -> Access:
    context = _named(config["contexts"], config["current-context"], "context")
    cluster = _named(config["clusters"], context["cluster"], "cluster")
    user = _named(config["users"], context["user"], "user") if context.get("user") else {}
    parts = urlsplit(cluster["server"])
    if not parts.hostname:
        raise ValueError("its server is no URL")
    tls = _tls(cluster, user) if parts.scheme == "https" else None
    port = parts.port or (443 if tls else 80)
    namespace = context.get("namespace") or "default"
    headers = _credentials(user, path)
    return Access(parts.hostname, port, parts.path.rstrip("/"), tls, headers, namespace)


def _named(items: Any, name: str, kind: str) -> dict[str, Any]:
    for item in items:
        if item["name"] == name:
            found: dict[str, Any] = item[kind]
            return found
    raise ValueError(f"it has no {kind} {name}")


def _tls(cluster: dict[str, Any], user: dict[str, Any]) -> ssl.SSLContext:
    authority = cluster.get("certificate-authority-data")
    if cluster.get("insecure-skip-tls-verify"):
        tls = ssl.create_default_context()
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    elif authority:
        tls = ssl.create_default_context(cadata=base64.b64decode(authority).decode())
    else:
        tls = ssl.create_default_context(cafile=cluster.get("certificate-authority"))
    certificate, key = (_pem_file(user, f"client-{what}") for what in ("certificate", "key"))
    if certificate:
        tls.load_cert_chain(certificate, key or None)
    return tls


def _pem_file(user: dict[str, Any], name: str) -> str:
    """A path: OpenSSL takes no certificate of one's own from memory."""
    data = user.get(f"{name}-data")
    if not data:
        return str(user.get(name) or "")
    memory = os.memfd_create(name)  # for the life of this process: it is made once
    os.write(memory, base64.b64decode(data))
    return f"/proc/self/fd/{memory}"


def _credentials(user: dict[str, Any], path: str) -> dict[str, str]:
    if user.get("tokenFile"):
        return _bearer(_text(user["tokenFile"]))
    if user.get("token"):
        return _bearer(user["token"])
    if user.get("username"):
        pair = f"{user['username']}:{user.get('password', '')}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
    if user.get("exec") or user.get("auth-provider"):
        raise ModuleError(
            f"{path} has a program log in, which is not done here; use a token or a certificate"
        )
    return {}


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token.strip()}"}


def _text(path: str) -> str:
    with open(path, encoding="utf-8") as file:  # noqa: PTH123
        return file.read().strip()
