"""The stand-in's part that looks after Workspaces: ready at once, or a fork of another."""

from __future__ import annotations

import secrets

from cluster.api import Api, ApiError, Document


def handle_workspace(api: Api, workspace: Document) -> None:
    """Make a new one ready, with copies of the modules of the one that it is forked from.

    Copies are new Modules: they are installed afresh, and all are made together.
    """
    if workspace.get("status", {}).get("phase") or "deletionTimestamp" in workspace["metadata"]:
        return
    name, namespace = workspace["metadata"]["name"], workspace["metadata"]["namespace"]
    status = {"status": {"phase": "ready", "ready": True}}
    api.patch("workspaces", namespace, name, status, "status")
    if source := workspace["spec"].get("from"):
        for module in api.find("modules"):
            belongs_to = module["spec"]["workspace"]
            if (belongs_to["namespace"], belongs_to["name"]) == (
                source["namespace"],
                source["name"],
            ):
                _copy(api, module, name, namespace)


def _copy(api: Api, module: Document, workspace: str, namespace: str) -> None:
    name = f"{module['metadata']['name'][:247]}-{secrets.token_hex(3)[:5]}"
    where = {"name": workspace, "namespace": namespace}
    copy: Document = {
        **{key: module[key] for key in ("apiVersion", "kind", "config") if key in module},
        "metadata": {"name": name},
        "spec": {**module["spec"], "workspace": where},
    }
    try:
        api.create("modules", module["metadata"]["namespace"], copy)
    except ApiError as error:
        print(f"failed to copy module {name}:", error, flush=True)
