"""The cluster of this example: a directory that holds one JSON file for each resource.

Paths are text: pathlib would double the time that this plugin takes to load.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import msgspec

from modulehost import ModuleError

DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


class Resource(msgspec.Struct, tag_field="kind", tag=True):
    """What every resource has: the place where it is found."""

    namespace: str
    name: str


class Deployment(Resource):
    """So many copies of the application."""

    replicas: int


class Service(Resource):
    """The address of a deployment."""

    deployment: str


class Store:
    """Resources below the directory `root`, each in `<namespace>/<name>.json`."""

    def __init__(self, root: str) -> None:
        self.root = root

    def check(self) -> None:
        """Raise ModuleError if no resource could be created."""
        with self._explained("use"):
            os.makedirs(self.root, exist_ok=True)
            if not os.access(self.root, os.W_OK | os.X_OK):
                raise PermissionError(None, "it cannot be written to", self.root)

    def deployment(self, namespace: str, name: str) -> Deployment:
        """Return the deployment of this name."""
        path = self._path(namespace, name)
        with self._explained("read"):
            try:
                return msgspec.json.decode(_read(path), type=Deployment)
            except FileNotFoundError as error:
                reason = f"there is no deployment {namespace}/{name}: install it again"
                raise ModuleError(reason) from error
            except msgspec.DecodeError as error:
                reason = f"{path} holds no deployment ({error}): mend it, or install it again"
                raise ModuleError(reason) from error

    def apply(self, resource: Resource) -> bool:
        """Make the resource what is given here; return False if it was just that already."""
        path = self._path(resource.namespace, resource.name)
        content = msgspec.json.encode(resource)
        with self._explained("write"):
            try:
                if _read(path) == content:
                    return False
            except FileNotFoundError:
                os.makedirs(os.path.dirname(path), exist_ok=True)
            # Written beside it, then renamed: neither a reader nor a crash meets half a file. A
            # draft that a crash has left is written over by the next one, or removed by delete.
            with open(_draft(path), "wb") as file:
                file.write(content)
            os.replace(_draft(path), path)
        return True

    def delete(self, namespace: str, name: str) -> None:
        """Remove the resource, if it is there."""
        path = self._path(namespace, name)
        with self._explained("remove"):
            for name in (_draft(path), path):
                with suppress(FileNotFoundError):
                    os.unlink(name)

    def _path(self, namespace: str, name: str) -> str:
        # The metadata comes over the network: only labels pass, so that no "../.." gets out.
        for label in (namespace, name):
            if not DNS_LABEL.fullmatch(label):
                raise ModuleError(
                    f"{label!r} cannot name a resource or a namespace: use at most 63 "
                    "lower-case letters, digits and, inside, hyphens (a DNS-1123 label)"
                )
        return f"{self.root}/{namespace}/{name}.json"

    @contextmanager
    def _explained(self, action: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            # A failed write, unlike a failed open, does not say which file it was.
            raise ModuleError(
                f"cannot {action} {error.filename or self.root}: {error.strerror}; "
                f"make {self.root} usable, or set EXAMPLE_DIR to another directory"
            ) from error


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _draft(path: str) -> str:
    return path.removesuffix(".json") + ".draft"
