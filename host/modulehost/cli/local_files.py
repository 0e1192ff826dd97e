"""What ``modulehost local apply`` and ``run`` are given: a file, and the plugin for each Module."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

from modulehost.cli.arguments import from_json
from modulehost.cli.said import note
from modulehost.local import reading, rules, schema
from modulehost.local.admission import admit, annotations_of
from modulehost.local.choice import choose, image_notes
from modulehost.local.documents import Taken, take
from modulehost.local.errors import RefusedError
from modulehost.local.state import State
from modulehost.plugin import discovery


def asked(given: argparse.Namespace) -> list[Taken]:
    """The Modules of the file, each taken by kubectl and the API server. Raises RefusedError."""
    shape = schema.MODULE if given.crd is None else _crd(given.crd)
    path = "standard input" if given.file == "-" else given.file
    found = []
    documents = reading.read(path, _text(given.file), tell=note)
    if (values := values_of(given)) or given.config:
        if len(documents) > 1:
            raise RefusedError(
                f"{path} has {len(documents)} Modules: --config and --values are for one"
            )
        _set_values(documents[0], values, dict(given.config))
    for document in documents:
        taken = take(path, document, shape, is_strict=not given.no_validate)
        for words in taken.dropped:
            note(f"{taken.module.name}: {words}")
        found.append(taken)
    return found


def read_environ(path: str) -> dict[str, str]:
    """The variables of a file: a line is ``KEY=VALUE`` or a ``#`` comment. Raises RefusedError."""
    lines = _bytes(path).decode("utf-8", "surrogateescape").splitlines()
    found = {}
    for number, line in enumerate(map(str.strip, lines), 1):
        if not line or line.startswith("#"):
            continue
        key, sign, value = line.removeprefix("export ").partition("=")
        if not sign or not key.strip():
            raise RefusedError(f"{path}, line {number}: it is not KEY=VALUE")
        value = value.strip()
        is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
        found[key.strip()] = value[1:-1] if is_quoted else value
    return found


def values_of(given: argparse.Namespace) -> dict[str, Any]:
    """What the file of ``--values`` has. Raises RefusedError."""
    if given.values is None:
        return {}
    return reading.read_values(given.values, _bytes(given.values))


def _bytes(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise RefusedError(f"{path} cannot be read: {error.strerror}") from None


def _set_values(document: Any, values: dict[str, Any], typed: dict[str, str]) -> None:
    """Put values into a Module's spec.config; whatever else is wrong with it is told later."""
    try:
        kinds = {item["alias"]: item.keys() for item in document.get("config") or []}
        spec = document["spec"]
        spec["config"] = (spec.get("config") or {}) | values
        for alias, text in typed.items():
            is_text = not {"string", "option"}.isdisjoint(kinds.get(alias, ()))
            spec["config"][alias] = text if is_text else from_json(text)
    except (KeyError, TypeError, AttributeError):
        return


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
        found = discovery.find()
        plugin = choose(found, module.image, given.plugin, wanted).name
        for words in image_notes(
            found, module.image, plugin, was_named=bool(given.plugin or wanted)
        ):
            note(f"{module.name}: {words}")
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
