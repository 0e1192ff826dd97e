"""The stand-in's part that makes a Module's pod and calls it."""

from __future__ import annotations

import base64
import http.client
import time
from typing import Any, Final

import yaml
from cluster.api import Api, ApiError, Document
from cluster.client import Client

from modulehost.shared.records import OperationName
from modulehost.testing.operator import SUCCESS, go_json, read_go_json

NAMESPACE: Final = "forkspacer-system"
ACCOUNT: Final = "forkspacer-controller-manager"
"""The operator's own service account."""

LABEL: Final = "forkspacer.com"

_POD, _LABEL, _SERVICE = "runnerPodName", "runnerPodUniqueLabel", "runnerServiceName"
_METADATA = "innerMetaData"
_POD_EVERY = 2.0
_SERVICE_EVERY = 1.0
_SERVICE_WITHIN = 30.0
_PULLS = 3  # looks that find an image not pulled
_ACCOUNT_FILES = "/var/run/secrets/kubernetes.io/serviceaccount"


class CallError(Exception):
    """The operator cannot go on; the text is what the Module's user reads."""


class Pods:
    """Pods and Services of Modules. What is known of one is ``kept``, in its annotation."""

    def __init__(self, api: Api, client: Client, in_cluster: str) -> None:
        self._api = api
        self._client = client
        self._in_cluster = in_cluster
        # made once, when the operator starts, and copied into kubeconfigs ever after
        request = {"spec": {"expirationSeconds": 3607}}
        path = api.path("serviceaccounts", NAMESPACE, ACCOUNT, "token")
        self._token: str = api.call("POST", path, request)["status"]["token"]

    def annotation(self, kept: dict[str, Any]) -> str:
        """What is kept, as Go writes it."""
        return go_json(kept)

    def prepare(self, kept: dict[str, Any], spec: Document, connection: Document) -> None:
        """See to it that there is a pod, and a Service that reaches it. Raises CallError."""
        if not kept.get(_POD):
            kept[_POD], kept[_LABEL] = self._create_pod(spec, connection)
        if not kept.get(_SERVICE):
            kept[_SERVICE] = self._create_service(kept[_LABEL])
        self._await_service(kept)

    def call(self, kept: dict[str, Any], operation: OperationName) -> None:
        """Call the pod; what it answers is kept. Raises CallError."""
        authority = f"{kept[_SERVICE]}.{NAMESPACE}.svc.cluster.local:80"
        body = go_json(kept.get(_METADATA) or {}).encode()
        try:
            status, answer = self._client.post(authority, f"/{operation}", body)
        except (OSError, http.client.HTTPException) as error:
            raise CallError(f'Post "http://{authority}/{operation}": {error!r}') from None
        if status == 400:
            text = answer.decode(errors="replace")
            raise CallError(f"custom module {operation} endpoint returned error: {text}")
        expected = SUCCESS[operation]
        if status != expected:
            raise CallError(f"received unexpected status code {status}, expected {expected}/400")
        try:
            metadata = read_go_json(answer) if answer else {}
        except ValueError as error:
            raise CallError(f"failed to unmarshal {operation} response body: {error}") from None
        if metadata:
            kept[_METADATA] = metadata
        if operation == "uninstall":
            self._remove(kept)

    def _remove(self, kept: dict[str, Any]) -> None:
        self._api.delete("services", NAMESPACE, kept[_SERVICE])
        self._api.delete("pods", NAMESPACE, kept[_POD])

    def _create_pod(self, spec: Document, connection: Document) -> tuple[str, str]:
        secret = self._create_secret(spec, connection)
        label = time.strftime("custom-manager-runner-%Y%m%d%H%M%S")
        try:
            document = _pod(spec["custom"], secret, label)
            name: str = self._create("pods", document)
            try:
                self._await_pod(name)
            except CallError:
                self._api.delete("pods", NAMESPACE, name)
                raise
        finally:
            self._api.delete("secrets", NAMESPACE, secret)
        return name, label

    def _create_secret(self, spec: Document, connection: Document) -> str:
        files = {"config.json": go_json(spec.get("config") or {})}
        if "workspace" in spec["custom"].get("permissions", ()):
            files["workspace_kubeconfig"] = self._workspace_kubeconfig(connection)
        return self._create(
            "secrets",
            {
                "metadata": _metadata("custom-manager-runner-secret"),
                "immutable": True,
                "data": {key: _base64(text) for key, text in files.items()},
            },
        )

    def _workspace_kubeconfig(self, connection: Document) -> str:
        if connection["type"] == "kubeconfig":
            reference = connection["secretReference"]
            secret = self._api.get("secrets", reference["namespace"], reference["name"])
            if secret is None:
                raise CallError(f"failed to get secret {reference['name']}")
            data = secret["data"][reference.get("key", "kubeconfig")]
            config = yaml.safe_load(base64.b64decode(data))
        else:
            cluster = {
                "server": self._in_cluster,
                "certificate-authority": f"{_ACCOUNT_FILES}/ca.crt",
            }
            config = {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "default", "cluster": cluster}],
                "users": [{"name": "default", "user": {"token": self._token}}],
                "contexts": [
                    {"name": "default", "context": {"cluster": "default", "user": "default"}}
                ],
                "current-context": "default",
            }
        text: str = yaml.safe_dump(config)
        return text

    def _create_service(self, label: str) -> str:
        ports = [{"protocol": "TCP", "port": 80, "targetPort": 8080}]
        return self._create(
            "services",
            {
                "metadata": _metadata("custom-manager-service"),
                "spec": {"selector": {LABEL: label}, "ports": ports},
            },
        )

    def _create(self, plural: str, document: Document) -> str:
        try:
            name: str = self._api.create(plural, NAMESPACE, document)["metadata"]["name"]
        except ApiError as error:
            raise CallError(error.message) from None
        return name

    def _await_pod(self, name: str) -> None:
        """Until its container has started."""
        pulls = 0
        while True:
            pod = self._api.get("pods", NAMESPACE, name)
            if pod is None:
                raise CallError(f'Pod "{name}" not found')
            phase = pod["status"].get("phase", "")
            if phase == "Running":
                return
            if phase in ("Failed", "Succeeded"):
                raise CallError(f"custom module runner pod failed: pod phase {phase}")
            pulls += _cannot_pull(pod)
            if pulls == _PULLS:
                raise CallError(
                    f"failed to pull image for custom module runner pod {name}"
                    f" after {_PULLS} attempts"
                )
            time.sleep(_POD_EVERY)

    def _await_service(self, kept: dict[str, Any]) -> None:
        """Until it has an endpoint. What never has one is removed with its pod."""
        name, began = kept[_SERVICE], time.monotonic()
        while time.monotonic() - began < _SERVICE_WITHIN:
            time.sleep(_SERVICE_EVERY)
            slices = self._api.find(
                "endpointslices", NAMESPACE, labelSelector=f"kubernetes.io/service-name={name}"
            )
            endpoints = [one for part in slices for one in part.get("endpoints") or ()]
            if any(one["conditions"].get("ready") for one in endpoints):
                return
        self._remove(kept)
        raise CallError(f"service {name} did not become ready within {_SERVICE_WITHIN:.0f} seconds")


def _pod(custom: Document, secret: str, label: str) -> Document:
    """The pod of a module: nothing in it bears the Module's name."""
    worker = {
        "name": "worker",
        "image": custom["image"],
        "env": [{"name": "PORT", "value": "8080"}],
        "ports": [{"containerPort": 8080}],
        "resources": {
            "requests": {"ephemeral-storage": "500Mi"},
            "limits": {"ephemeral-storage": "5Gi"},
        },
        "volumeMounts": [{"name": "secret-volume", "mountPath": "/forkspacer"}],
    }
    spec: Document = {
        "restartPolicy": "Never",
        "containers": [worker],
        "volumes": [{"name": "secret-volume", "secret": {"secretName": secret}}],
        "imagePullSecrets": [{"name": name} for name in custom.get("imagePullSecrets", ())],
    }
    if "controller" in custom.get("permissions", ()):
        spec["serviceAccountName"] = ACCOUNT
    return {"metadata": _metadata(label), "spec": spec}


def _metadata(label: str) -> Document:
    return {"generateName": "custom-manager-", "labels": {LABEL: label}}


def _cannot_pull(pod: Document) -> bool:
    reasons = [
        status["state"].get("waiting", {}).get("reason")
        for status in pod["status"].get("containerStatuses", ())
    ]
    return any(reason in ("ErrImagePull", "ImagePullBackOff") for reason in reasons)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
