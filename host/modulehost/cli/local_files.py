"""What ``modulehost local apply`` and ``run`` are given: a file, and the plugin for each Module."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from modulehost.cli.said import note
from modulehost.local import reading, rules, schema
from modulehost.local.admission import admit, annotations_of
from modulehost.local.choice import choose
from modulehost.local.documents import Taken, take
from modulehost.local.errors import RefusedError
from modulehost.local.state import State
from modulehost.plugin import discovery


def asked(given: argparse.Namespace) -> list[Taken]:
    """The Modules of the file, each taken by kubectl and the API server. Raises RefusedError."""
    shape = schema.MODULE if given.crd is None else _crd(given.crd)
    path = "standard input" if given.file == "-" else given.file
    found = []
    for document in reading.read(path, _text(given.file)):
        taken = take(path, document, shape, is_strict=not given.no_validate)
        for words in taken.dropped:
            note(f"{taken.module.name}: {words}")
        found.append(taken)
    return found


def _text(path: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise RefusedError(
            f"{path} cannot be read: {error.strerror}; modulehost definition PLUGIN > {path} makes"
            " one"
        ) from None


def _crd(path: str) -> schema.Schema:
    try:
        [document] = reading.read(path, _text(path), kind="CustomResourceDefinition")[:1]
        versions = {version["name"]: version for version in document["spec"]["versions"]}
        found: schema.Schema = versions["v1"]["schema"]["openAPIV3Schema"]
    except (KeyError, TypeError):
        raise RefusedError(
            f"{path} has no schema of Modules: kubectl get crd modules.batch.forkspacer.com -o yaml"
            " prints one"
        ) from None
    return found


def new_state(asked: Taken, given: argparse.Namespace) -> State:
    """A Module as it begins, with the plugin that is served for it. Raises RefusedError."""
    module = asked.module
    for words in rules.notes(module.items, module.values or {}):
        note(f"{module.name}: {words}")
    if not given.no_webhooks:
        admit(module)
    plugin = ""
    if module.is_custom:
        wanted = os.environ.get("MODULE_PLUGIN", "").strip()
        plugin = choose(discovery.find(), module.image, given.plugin, wanted).name
    if given.kubeconfig is not None:
        if "workspace" not in module.permissions:
            raise RefusedError(
                f"--kubeconfig: {module.name} has not the permission workspace, so the operator"
                " gives it none; add it to the Module's permissions"
            )
        if not given.kubeconfig.is_file():
            raise RefusedError(f"--kubeconfig: there is no file {given.kubeconfig}")
    elif "workspace" in module.permissions:
        note(
            f"{module.name} has the permission workspace, but there is no kubeconfig: give one"
            " with --kubeconfig FILE"
        )
    return State(
        document=module.document,
        annotations=annotations_of(module, asked.given),
        plugin=plugin,
        since=time.time(),
        has_webhooks=not given.no_webhooks,
        kubeconfig=given.kubeconfig and str(given.kubeconfig.absolute()),
    )
