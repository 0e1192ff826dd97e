"""The documents in ``deploy/`` are what the operator and the cluster take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from e2e.containers import ROOT

import modulehost
from modulehost.local.schema import drop_unknown, fill_in, problems
from modulehost.plugin.config import Schema
from modulehost_example import Manager

DEPLOY = ROOT / "deploy"
DOCUMENTS = {
    path.name: document
    for path in sorted(DEPLOY.glob("*.yaml"))
    for document in yaml.safe_load_all(path.read_text())
}
MODULES = [name for name, document in DOCUMENTS.items() if document["kind"] == "Module"]
UNKNOWN = {"module.yaml": [], "module-source.yaml": ["spec.source"]}
"""What the CRD does not know of: the operators for whom the second one is had another."""


@pytest.fixture
def schema(crd: dict[str, Any]) -> dict[str, Any]:
    """The schema of a Module in the operator's CRD."""
    found: dict[str, Any] = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return found


@pytest.mark.parametrize("name", MODULES)
def test_the_operators_crd_takes_the_module(schema: dict[str, Any], name: str) -> None:
    """As the API server does it: defaults are filled in, then it is valid, and nothing unknown."""
    module = yaml.safe_load((DEPLOY / name).read_text())
    unknown = [place for place, _ in drop_unknown(module, schema)]
    fill_in(module, schema)
    assert (problems(module, schema), unknown) == ([], UNKNOWN[name])


def test_the_check_of_modules_can_fail(schema: dict[str, Any]) -> None:
    """A wrong type, a permission that does not exist, a misspelt key."""
    module = yaml.safe_load((DEPLOY / "module.yaml").read_text())
    module["config"][2]["integer"]["min"] = "1"
    module["spec"]["custom"]["permissions"] = ["admin"]
    module["spec"]["custom"]["imagePullSecret"] = "registry"
    fill_in(module, schema)
    assert [problem.partition(":")[0] for problem in problems(module, schema)] == [
        "config[2].integer.min",
        "spec.custom.permissions[0]",
    ]
    assert list(drop_unknown(module, schema)) == [
        ("spec.custom.imagePullSecret", "imagePullSecrets")
    ]


def test_the_definition_is_the_same_wherever_it_stands() -> None:
    """In a file of its own, and inside the Module of older operators."""
    inside = DOCUMENTS["module-source.yaml"]["spec"]["source"]["raw"]
    assert inside == DOCUMENTS["definition.yaml"]
    assert inside["metadata"]["version"] == modulehost.__version__


def old_items() -> dict[str, dict[str, Any]]:
    """The config items of the older format, by alias."""
    items = DOCUMENTS["definition.yaml"]["config"]
    return {item["alias"]: {"type": item["type"], **item["spec"]} for item in items}


def new_items() -> dict[str, dict[str, Any]]:
    """The config items of the newer format, by alias."""
    found = {}
    for item in DOCUMENTS["module.yaml"]["config"]:
        (kind,) = item.keys() - {"name", "alias"}
        found[item["alias"]] = {"type": kind, **item[kind]}
    return found


def test_both_formats_say_the_same() -> None:
    """Items, image and permissions."""
    assert old_items() == new_items()
    specs = DOCUMENTS["definition.yaml"]["spec"], DOCUMENTS["module.yaml"]["spec"]["custom"]
    assert specs[0] == specs[1]
    assert specs[0]["permissions"] == list(Manager.permissions)
    configs = [DOCUMENTS[name]["spec"]["config"] for name in MODULES]
    assert configs[0] == configs[1]


def test_they_say_what_the_plugin_says() -> None:
    """Aliases, defaults and bounds are those of the plugin's own schema, and its values pass."""
    schema = Schema(Manager.config)
    items = new_items()
    assert list(items) == [item.alias for item in schema.items]
    defaults, _ = schema.convert({})
    given = {item.alias: getattr(defaults, item.name) for item in schema.items}
    assert {alias: item["default"] for alias, item in items.items()} == given
    for item in schema.items:
        for bound in (items[item.alias].get("min"), items[item.alias].get("max")):
            if bound is not None:
                item.convert(bound)
                beyond = bound - 1 if bound == items[item.alias]["min"] else bound + 1
                with pytest.raises(ValueError, match="Expected"):
                    item.convert(beyond)
    _, extra = schema.convert(DOCUMENTS["module.yaml"]["spec"]["config"])
    assert extra == []


def test_the_policy_lets_in_the_operator_alone() -> None:
    """To all modules' pods, on the one port, from the operator's pods of the same namespace."""
    policy = DOCUMENTS["network-policy.yaml"]
    assert (policy["kind"], policy["metadata"]["namespace"]) == (
        "NetworkPolicy",
        "forkspacer-system",
    )
    spec = policy["spec"]
    assert spec["podSelector"] == {
        "matchExpressions": [{"key": "forkspacer.com", "operator": "Exists"}]
    }
    assert spec["policyTypes"] == ["Ingress"]
    assert spec["ingress"] == [
        {
            "from": [{"podSelector": {"matchLabels": {"control-plane": "controller-manager"}}}],
            "ports": [{"protocol": "TCP", "port": 8080}],
        }
    ]


def test_every_file_is_explained() -> None:
    """The folder's README names each."""
    text = Path(DEPLOY, "README.md").read_text()
    assert [p.name for p in DEPLOY.iterdir() if p.name != "README.md" and p.name not in text] == []
