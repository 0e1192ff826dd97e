"""A client of the Kubernetes API, for what the tests need of it."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from cluster.network import Network

Document = dict[str, Any]

JSON: Final = "application/json"
MERGE: Final = "application/merge-patch+json"
STRATEGIC: Final = "application/strategic-merge-patch+json"

_PLURALS = {
    "configmaps": "/api/v1",
    "endpoints": "/api/v1",
    "events": "/api/v1",
    "namespaces": "/api/v1",
    "nodes": "/api/v1",
    "pods": "/api/v1",
    "secrets": "/api/v1",
    "serviceaccounts": "/api/v1",
    "services": "/api/v1",
    "endpointslices": "/apis/discovery.k8s.io/v1",
    "modules": "/apis/batch.forkspacer.com/v1",
    "limitranges": "/api/v1",
    "workspaces": "/apis/batch.forkspacer.com/v1",
}
"""Where the API has them."""


class ApiError(Exception):
    """The API server has refused; ``code`` is the HTTP status."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Api:
    """The API server of a kubeconfig as ``plane`` writes it: JSON, with a token.

    From outside of the cluster's network each connection is made from within it.
    """

    def __init__(self, kubeconfig: Path, network: Network | None = None) -> None:
        config = json.loads(kubeconfig.read_text())
        cluster = config["clusters"][0]["cluster"]
        url = urlsplit(cluster["server"])
        assert url.hostname, cluster["server"]
        self.server: str = cluster["server"]
        self.authority: str = Path(cluster["certificate-authority"]).read_text()
        self._host, self._port = url.hostname, url.port or 443
        self._token: str = config["users"][0]["user"]["token"]
        self._tls = ssl.create_default_context(cadata=self.authority)
        self._network = network

    def call(
        self, method: str, path: str, body: Document | None = None, kind: str = JSON
    ) -> Document:
        """One request. Raises ApiError, OSError and http.client.HTTPException."""
        connection = http.client.HTTPSConnection(
            self._host, self._port, timeout=30, context=self._tls
        )
        if self._network is not None:
            inside = self._network.connect(self._host, self._port, 30)
            connection.sock = self._tls.wrap_socket(inside, server_hostname=self._host)
        with closing(connection):
            headers = {"Authorization": f"Bearer {self._token}", "Content-Type": kind}
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data, headers)
            response = connection.getresponse()
            answer: Document = json.loads(response.read())
        if response.status >= 400:
            raise ApiError(response.status, answer.get("message", ""))
        return answer

    def get(self, plural: str, namespace: str, name: str) -> Document | None:
        """An object, None when there is none."""
        return _if_there(lambda: self.call("GET", self.path(plural, namespace, name)))

    def find(self, plural: str, namespace: str = "", **selectors: str) -> list[Document]:
        """All objects of a kind, of a namespace or of all; ``labelSelector``, ``fieldSelector``."""
        query = f"?{urlencode(selectors)}" if selectors else ""
        items: list[Document] = self.call("GET", self.path(plural, namespace) + query)["items"]
        return items

    def create(self, plural: str, namespace: str, document: Document) -> Document:
        """Create an object, which the API server may name."""
        return self.call("POST", self.path(plural, namespace), document)

    def patch(
        self,
        plural: str,
        namespace: str,
        name: str,
        change: Document,
        part: str = "",
        kind: str = MERGE,
    ) -> Document | None:
        """Change an object; None when there is none. ``part`` is a subresource, as status."""
        path = self.path(plural, namespace, name, part)
        return _if_there(lambda: self.call("PATCH", path, change, kind))

    def delete(
        self, plural: str, namespace: str, name: str, options: Document | None = None
    ) -> None:
        """Delete an object, if it is there."""
        _if_there(lambda: self.call("DELETE", self.path(plural, namespace, name), options))

    def path(self, plural: str, namespace: str = "", name: str = "", part: str = "") -> str:
        """Where the API has an object, or all of them."""
        within = f"/namespaces/{namespace}" if namespace else ""
        path = f"{_PLURALS[plural]}{within}/{plural}"
        return "/".join(filter(None, (path, quote(name), part)))


def _if_there(call: Callable[[], Document]) -> Document | None:
    try:
        return call()
    except ApiError as error:
        if error.code != 404:
            raise
        return None
