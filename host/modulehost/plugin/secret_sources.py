"""Where ``ctx.secret`` reads and writes, as MODULE_SECRETS says: Kubernetes, a folder, variables.

Kubernetes is asked with the standard library: a client would take the module's pod 30 to 65 MB.
"""

from __future__ import annotations

import base64
import http.client
import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from modulehost.plugin.kubeconfig import Access, access
from modulehost.plugin.secret import Secret
from modulehost.shared.errors import ModuleError

if TYPE_CHECKING:
    from modulehost.plugin.context import Context

KIND: Final = "secret"
"""What one that was made is in the ledger."""

_NAME: Final = re.compile(r"([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?/)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_KEY: Final = re.compile(r"[-_a-zA-Z0-9][-._a-zA-Z0-9]{0,252}")
_LABEL: Final = ("app.kubernetes.io/managed-by", "modulehost")
_LONGEST: Final = 10.0  # seconds for one request
_LARGEST: Final = 4 << 20  # bytes of an answer


class Source(Protocol):
    """A place for secrets."""

    def read(self, name: str, key: str) -> str | None:
        """A value; None where there is none."""

    def write(self, name: str, key: str, value: str) -> None:
        """Add a value that is not there."""

    def remove(self, name: str) -> None:
        """Remove all of that name that was written here; content when there is none."""


def check(name: str, key: str) -> None:
    """Raise ValueError for what can be no Secret of Kubernetes, and no part of a path."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a Secret: NAME or NAMESPACE/NAME, as in DNS")
    if not _KEY.fullmatch(key):
        raise ValueError(f"{key!r} is no key of a Secret: letters, digits, '-', '_' and '.'")


def source(setting: str, kubeconfig: str | None, seconds: float) -> Source:
    """What the setting names. ``seconds`` are those that are left; raises ModuleError."""
    if setting == "kubernetes":
        return Kubernetes(access(kubeconfig), min(seconds, _LONGEST))
    return Variables() if setting == "env" else Folder(setting)


def secret(
    ctx: Context[Any],
    setting: str,
    name: str,
    key: str,
    make: Callable[[], str | Secret[str]] | None,
) -> Secret[str]:
    """The value of one, made and kept if need be; redacted before it is used."""
    check(name, key)
    ctx.raise_if_cancelled()
    place = source(setting, ctx.kubeconfig, ctx.remaining())
    value = place.read(name, key)
    if value is None:
        if make is None:
            raise ModuleError(f"there is no secret {name} with the key {key}; make it")
        made = make()
        value = made.reveal() if isinstance(made, Secret) else made
        ctx.redact(value)
        with ctx.creating(KIND, name):
            place.write(name, key, value)
    elif make is not None and any(
        made.name == name and not made.confirmed for made in ctx.created(KIND)
    ):
        with ctx.creating(KIND, name):
            pass  # it was made, and its process killed before it could say so
    ctx.redact(value)
    return Secret(value)


def remove(ctx: Context[Any], setting: str, name: str) -> None:
    """Remove what was made; content when there is none."""
    if any(made.name == name for made in ctx.created(KIND)):
        source(setting, ctx.kubeconfig, ctx.remaining()).remove(name)
        ctx.removed(KIND, name)


class Variables:
    """Environment variables: ``shop-db`` and ``password`` are SHOP_DB_PASSWORD."""

    def read(self, name: str, key: str) -> str | None:
        return os.environ.get(self._variable(name, key))

    def write(self, name: str, key: str, value: str) -> None:
        raise ModuleError(
            f"{self._variable(name, key)} is not set, and variables cannot be kept: set it, or set"
            " MODULE_SECRETS to kubernetes or a folder"
        )

    def remove(self, name: str) -> None:
        pass

    @staticmethod
    def _variable(name: str, key: str) -> str:
        return re.sub("[^A-Z0-9]", "_", f"{name}_{key}".upper())


class Folder:
    """Files, as a Secret is mounted: ``FOLDER/NAME/KEY``."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def read(self, name: str, key: str) -> str | None:
        path = f"{self._folder}/{name}/{key}"
        try:
            with open(path, encoding="utf-8") as file:  # noqa: PTH123 - pathlib is dear
                return file.read().removesuffix("\n")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, UnicodeDecodeError) as error:
            words = getattr(error, "strerror", None) or "it is no text"
            raise ModuleError(f"{path} cannot be read: {words}") from None

    def write(self, name: str, key: str, value: str) -> None:
        folder = f"{self._folder}/{name}"
        path = f"{folder}/{key}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)  # noqa: PTH103
            with open(os.open(f"{path}.part", flags, 0o600), "w", encoding="utf-8") as file:  # noqa: PTH123
                file.write(value)
                file.flush()
                os.fsync(file.fileno())
            os.replace(f"{path}.part", path)  # noqa: PTH105
        except OSError as error:
            raise ModuleError(f"{path} cannot be written: {error.strerror}") from None

    def remove(self, name: str) -> None:
        folder = f"{self._folder}/{name}"
        try:
            for file in os.listdir(folder):  # noqa: PTH208
                os.unlink(f"{folder}/{file}")  # noqa: PTH108
            os.rmdir(folder)  # noqa: PTH106
        except FileNotFoundError:
            pass
        except OSError as error:
            raise ModuleError(f"{folder} cannot be removed: {error.strerror}") from None


class Kubernetes:
    """Secrets of a namespace: the kubeconfig's, the pod's, or one that the name begins with."""

    def __init__(self, to: Access, seconds: float) -> None:
        self._to = to
        self._seconds = max(seconds, 0.1)

    def read(self, name: str, key: str) -> str | None:
        secret = self._get(name)
        data = (secret or {}).get("data", {}).get(key)
        if data is None:
            return None
        try:
            return base64.b64decode(data).decode()
        except ValueError:
            raise ModuleError(f"{key} of the Secret {name} is no text") from None

    def write(self, name: str, key: str, value: str) -> None:
        namespace, short = self._place(name)
        there = self._get(name)
        if there is None:
            made = {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": short, "labels": dict([_LABEL])},
                "stringData": {key: value},
            }
            self._ask("POST", namespace, "", made)
        elif _is_ours(there):
            version = there["metadata"]["resourceVersion"]
            change = {"metadata": {"resourceVersion": version}, "stringData": {key: value}}
            self._ask("PATCH", namespace, short, change)
        else:
            raise ModuleError(
                f"the Secret {name} has no {key}, and no module has made it: add the key, or take"
                " another name"
            )

    def remove(self, name: str) -> None:
        there = self._get(name)
        if there is not None and _is_ours(there):
            preconditions = {"uid": there["metadata"]["uid"]}
            self._ask("DELETE", *self._place(name), {"preconditions": preconditions})

    def _place(self, name: str) -> tuple[str, str]:
        namespace, _, short = name.rpartition("/")
        return namespace or self._to.namespace, short

    def _get(self, name: str) -> dict[str, Any] | None:
        return self._ask("GET", *self._place(name))

    def _ask(
        self, method: str, namespace: str, name: str, body: dict[str, Any] | None = None
    ) -> dict[str, Any] | None:
        """The object that is answered; None where there is none. Raises ModuleError."""
        to = self._to
        path = f"{to.path}/api/v1/namespaces/{namespace}/secrets/{name}".rstrip("/")
        kind = "merge-patch+json" if method == "PATCH" else "json"
        headers = {**to.headers, "Content-Type": f"application/{kind}"}
        connection = (
            http.client.HTTPConnection(to.host, to.port, timeout=self._seconds)
            if to.tls is None
            else http.client.HTTPSConnection(
                to.host, to.port, timeout=self._seconds, context=to.tls
            )
        )
        data = None if body is None else msgspec.json.encode(body)
        try:
            connection.request(method, path, data, headers)
            response = connection.getresponse()
            status, text = response.status, response.read(_LARGEST)
            answer = msgspec.json.decode(text, type=dict[str, Any]) if text else {}
        except msgspec.MsgspecError:
            raise ModuleError(f"the API server at {to} answers {status}, and no JSON") from None
        except (OSError, http.client.HTTPException) as error:
            words = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise ModuleError(f"the API server at {to} cannot be reached: {words}") from None
        finally:
            connection.close()
        if status == 404 and method in ("GET", "DELETE"):
            return None
        if status == 401:
            raise ModuleError(
                f"the API server at {to} answers 401 Unauthorized: the credentials are no longer"
                " valid, as those of an operator's pod that was replaced"
            )
        if status >= 300:
            words = answer.get("message") or f"it answers {status}"
            raise ModuleError(f"the API server at {to} refuses: {words}")
        return answer


def _is_ours(secret: dict[str, Any]) -> bool:
    label, value = _LABEL
    labels = secret["metadata"].get("labels") or {}
    return bool(labels.get(label) == value)
