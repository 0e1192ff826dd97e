"""Keeps ConfigMaps in a real cluster, and remembers them in its metadata.

What it is given with each call it writes into a ConfigMap of its own, for the test to read. The
config's ``plan`` says what goes wrong, as ``install=fail sleep=die``; each once, when the operation
is half done: fail, die, wait (for ever), hold (until the test makes the ConfigMap ``release``),
large=BYTES (left in the metadata).
"""

import base64
import json
import os
import re
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from modulehost import Context, ModuleError, hookimpl

THINGS = ("database", "web")
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class Config(msgspec.Struct, rename="camel"):
    """Where the ConfigMaps are, and what they are called."""

    app_name: str = "my-app"
    namespace: str = "stories"
    replicas: Annotated[int, Meta(ge=1, le=10)] = 1
    plan: str = ""


class Manager:
    """A module of two things."""

    config = Config
    permissions = ("workspace",)

    @hookimpl
    def install(self, ctx: Context[Config], metadata: dict[str, Any]) -> None:
        cluster = Cluster(ctx)
        cluster.note(metadata)
        metadata["app"] = ctx.config.app_name
        metadata["replicas"] = ctx.config.replicas
        metadata.setdefault("things", [])
        for number, thing in enumerate(THINGS):
            name = f"{ctx.config.app_name}-{thing}"
            if name not in metadata["things"]:
                metadata["things"].append(name)
                ctx.checkpoint()
            cluster.write(name, "awake")
            if number == 0:
                go_wrong(ctx, metadata)
        metadata["state"] = "awake"

    @hookimpl
    def sleep(self, ctx: Context[Config], metadata: dict[str, Any]) -> None:
        self._change(ctx, metadata, "asleep")

    @hookimpl
    def resume(self, ctx: Context[Config], metadata: dict[str, Any]) -> None:
        self._change(ctx, metadata, "awake")

    @hookimpl
    def uninstall(self, ctx: Context[Config], metadata: dict[str, Any]) -> None:
        cluster = Cluster(ctx)
        cluster.note(metadata)
        things = metadata.get("things", [])
        while things:
            cluster.remove(things[-1])
            things.pop()
            go_wrong(ctx, metadata)

    def _change(self, ctx: Context[Config], metadata: dict[str, Any], state: str) -> None:
        cluster = Cluster(ctx)
        cluster.note(metadata)
        for name in metadata["things"]:
            cluster.write(name, state)
        metadata["state"] = state
        go_wrong(ctx, metadata)


def go_wrong(ctx: Context[Config], metadata: dict[str, Any]) -> None:
    """What the plan has for this operation, unless that has been."""
    plan = dict(step.split("=", 1) for step in ctx.config.plan.split())
    fault, _, size = plan.get(ctx.operation, "").partition("=")
    done = metadata.setdefault("faults", [])
    if not fault or ctx.operation in done:
        return
    done.append(ctx.operation)
    ctx.progress(f"the plan: {fault}")
    match fault:
        case "fail":
            raise ModuleError("the database refuses us")
        case "die":
            ctx.checkpoint()
            os._exit(1)
        case "wait":
            ctx.wait(3600)
        case "hold":
            while not Cluster(ctx).has("release"):
                ctx.wait(0.1)
        case "large":
            metadata["ballast"] = "x" * int(size)
            ctx.checkpoint()


class Cluster:
    """The API of the workspace's cluster, or else that of the pod's own."""

    def __init__(self, ctx: Context[Config]) -> None:
        self._ctx = ctx
        if ctx.kubeconfig is None:
            environ = os.environ
            host, port = environ["KUBERNETES_SERVICE_HOST"], environ["KUBERNETES_SERVICE_PORT"]
            self._server = f"https://{host}:{port}"
            self._token = (ACCOUNT / "token").read_text()
            self._tls = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
        else:
            text = Path(ctx.kubeconfig).read_text()
            self._server = _value(text, "server")
            self._token = _value(text, "token")
            self._tls = _trust(text)

    def note(self, metadata: dict[str, Any]) -> None:
        """Tell the test what the hook was given, and in which pod."""
        call = {
            "operation": self._ctx.operation,
            "given": json.dumps(metadata),
            "at": str(time.time()),
            "pod": os.environ["HOSTNAME"],
        }
        self._create({"generateName": f"{self._ctx.config.app_name}-call-"}, call, "call")

    def write(self, name: str, state: str) -> None:
        """Have a ConfigMap with that state."""
        data = {"state": state, "app": self._ctx.config.app_name}
        try:
            self._create({"name": name}, data, "thing")
        except urllib.error.HTTPError as error:
            if error.code != 409:
                raise
            patch = {"data": data}
            self._send("PATCH", f"/{name}", patch, "application/merge-patch+json")

    def has(self, name: str) -> bool:
        """Whether there is a ConfigMap of that name."""
        try:
            self._send("GET", f"/{name}")
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
            return False
        return True

    def remove(self, name: str) -> None:
        """Have no ConfigMap of that name."""
        try:
            self._send("DELETE", f"/{name}")
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise

    def _create(self, about: dict[str, Any], data: dict[str, str], kind: str) -> None:
        labels = {"kind": kind, "app": self._ctx.config.app_name}
        self._send("POST", "", {"metadata": {**about, "labels": labels}, "data": data})

    def _send(
        self, method: str, path: str, body: object = None, kind: str = "application/json"
    ) -> None:
        url = f"{self._server}/api/v1/namespaces/{self._ctx.config.namespace}/configmaps{path}"
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": kind}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, headers, method=method)
        tls = urllib.request.HTTPSHandler(context=self._tls)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), tls)
        with opener.open(request, timeout=10):
            pass


def _trust(kubeconfig: str) -> ssl.SSLContext:
    if "certificate-authority-data" not in kubeconfig:
        return ssl.create_default_context(cafile=_value(kubeconfig, "certificate-authority"))
    data = _value(kubeconfig, "certificate-authority-data")
    return ssl.create_default_context(cadata=base64.b64decode(data).decode())


def _value(kubeconfig: str, key: str) -> str:
    """A value of the only one of its kind, in YAML or JSON."""
    [value] = re.findall(rf'"?{key}"?: "?([^\s",]+)', kubeconfig)
    return str(value)
