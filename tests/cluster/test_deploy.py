"""What is in ``deploy/`` is taken by a real API server."""

from __future__ import annotations

import json

import pytest
import yaml
from cluster.levels import Level
from e2e.containers import ROOT

DOCUMENTS = {
    path: document
    for path in sorted((ROOT / "deploy").glob("*.yaml"))
    for document in yaml.safe_load_all(path.read_text())
    if "apiVersion" in document  # a definition alone is no object of the API
}
OLD = {path for path, document in DOCUMENTS.items() if "source" in document.get("spec", {})}
"""Modules for operators before v0.1.24."""

STRICT = ("apply", "--dry-run=server", "--validate=strict", "--filename")


@pytest.mark.parametrize("name", [path.name for path in DOCUMENTS.keys() - OLD])
def test_every_document_is_taken(level: Level, name: str) -> None:
    """By the API server itself, as kubectl sends it, with no field that is not known."""
    done = level.cluster.kubectl(*STRICT, str(ROOT / "deploy" / name))
    assert "server dry run" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("name", [path.name for path in OLD])
def test_an_older_format_is_refused_by_name(level: Level, name: str) -> None:
    """As docs/operator.md has it."""
    done = level.cluster.kubectl(*STRICT, str(ROOT / "deploy" / name), check=False)
    assert 'unknown field "spec.source"' in done.stderr


def test_the_dry_run_can_fail(level: Level) -> None:
    """A misspelt field is refused."""
    [path] = [path for path in DOCUMENTS if path.name == "network-policy.yaml"]
    document = {**DOCUMENTS[path], "spec": {"podSelectors": {}}}
    wrong = level.cluster.run / "wrong.json"
    wrong.write_text(json.dumps(document))
    done = level.cluster.kubectl(*STRICT, str(wrong), check=False)
    assert done.returncode != 0
    assert "podSelectors" in done.stderr
