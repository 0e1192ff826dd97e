"""What is read of a file: Modules of either format, and definitions."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from support.properties import METADATA, same, tried

from modulehost.local import documents, reading
from modulehost.local.documents import Module
from modulehost.local.errors import RefusedError

MODULE: dict[str, Any] = {
    "apiVersion": "batch.forkspacer.com/v1",
    "kind": "Module",
    "metadata": {"name": "shop"},
    "config": [{"name": "Copies", "alias": "copies", "integer": {"min": 1}}],
    "spec": {
        "workspace": {"name": "dev"},
        "custom": {"image": "x/shop:1", "permissions": ["workspace"]},
        "config": {"copies": 2},
    },
}
DEFINITION: dict[str, Any] = {
    "kind": "Custom",
    "metadata": {"name": "My Shop", "version": "1.0", "supportedOperatorVersion": ">= 0.0.0"},
    "config": [
        {"type": "integer", "name": "Copies", "alias": "copies", "spec": {"editable": True}},
        {"type": "string", "name": "Name", "alias": "name", "spec": {"editable": True}},
        {"type": "multiple-options", "name": "Z", "alias": "zones", "spec": {"values": ["n", "s"]}},
    ],
    "spec": {"image": "x/shop:1"},
}


def changed(document: dict[str, Any], path: str, value: Any = None) -> dict[str, Any]:
    """The document with another value at that path, or with none."""
    copy: dict[str, Any] = json.loads(json.dumps(document))
    *steps, last = path.split(".")
    part = copy
    for step in steps:
        part = part[step]
    if value is None:
        del part[last]
    else:
        part[last] = value
    return copy


def read(document: object) -> Module:
    """The Module of a document that was written as YAML."""
    [found] = reading.read("m.yaml", yaml.safe_dump(document).encode())
    return documents.module_of("m.yaml", found)


def refusal(document: object) -> str:
    """Why it is refused."""
    with pytest.raises(RefusedError) as refused:
        read(document)
    assert str(refused.value).isprintable()
    return str(refused.value)


def test_a_module_of_the_newer_format() -> None:
    """What the CRD fills in is filled in; the config is not."""
    module = read(MODULE)
    assert (module.name, module.namespace, module.workspace.namespace) == ("shop", *["default"] * 2)
    assert (module.image, module.permissions) == ("x/shop:1", ["workspace"])
    assert (module.hibernated, module.is_old, module.values) == (False, False, {"copies": 2})
    assert [item.alias for item in module.items] == ["copies"]


def test_a_module_of_the_older_format() -> None:
    """Its definition stands under ``spec.source.raw``."""
    spec = {"workspace": {"name": "dev"}, "source": {"raw": DEFINITION}, "hibernated": True}
    module = read(changed(MODULE, "spec", spec))
    assert (module.image, module.hibernated, module.is_old) == ("x/shop:1", True, True)
    assert module.values is None
    assert [item.alias for item in module.items] == ["copies", "name", "zones"]


def test_a_definition_gets_a_module_around_it() -> None:
    """Its values are typed by hand: text stays text, the rest is JSON, lists have commas."""
    given = {"copies": "2", "name": "7", "zones": "n,s", "other": "x"}
    values = documents.typed("d.yaml", DEFINITION, given)
    assert values == {"copies": 2, "name": "7", "zones": ["n", "s"], "other": "x"}
    module = documents.module_of("d.yaml", documents.wrap("d.yaml", DEFINITION, values))
    assert (module.name, module.is_old, module.values) == ("my-shop", True, values)


def test_several_documents() -> None:
    """Modules and definitions are taken, other kinds are passed over."""
    texts = [MODULE, {"kind": "Secret"}, None, DEFINITION]
    found = reading.read("m.yaml", yaml.safe_dump_all(texts).encode())
    assert [document["kind"] for document in found] == ["Module", "Custom"]


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("apiVersion", None, "apiVersion is missing; write batch.forkspacer.com/v1"),
        ("apiVersion", "v1", "apiVersion is v1; write batch.forkspacer.com/v1"),
        ("kind", "Modul", "no definition (kind: Custom): it has Modul; modulehost definition"),
        ("kind", None, "is no Module: it has no kind"),
        ("metadata", None, "m.yaml: metadata is missing"),
        ("metadata.name", None, "m.yaml: metadata: name is missing"),
        ("metadata.name", 7, "m.yaml: metadata.name: expected `str`, got `int`"),
        ("metadata.name", "My_Shop", "metadata.name 'My_Shop' cannot name a Service"),
        ("metadata.name", "1st", "a letter first"),
        ("metadata.name", "x" * 64, "at most 63"),
        ("spec", None, "m.yaml: spec is missing"),
        ("spec.workspace", None, "m.yaml: spec: workspace is missing"),
        ("spec.workspace.name", "", "spec.workspace.name: expected `str` of length >= 1"),
        ("spec.custom", None, "m.yaml: spec.custom is missing: it names the image"),
        ("spec.custom.image", None, "m.yaml: spec.custom: image is missing"),
        ("spec.custom.permissions", ["root"], "spec.custom.permissions[0]: invalid enum value"),
        ("spec.config", [1], "spec.config: expected `object | null`, got `array`"),
        ("spec.helm", {"chart": {}}, "it is a Helm module, which has no plugin"),
        ("spec.source", {"httpURL": "http://x"}, "spec.source.httpURL is not fetched here: down"),
        ("spec.source", {"configMap": {}}, "spec.source is configMap; put the definition under"),
        ("spec.source", {"raw": {"kind": "Custom"}}, "spec.source.raw: metadata is missing"),
        ("spec.source", {"raw": {"kind": "Helm"}}, "spec.source.raw"),
        ("config", [{"alias": "x"}], "config[0]: name is missing"),
        ("config", [{"name": "x", "alias": "x", "integer": {"min": 1.5}}], "config[0].integer.min"),
        ("config", [{"name": "x", "alias": "x", "option": {}}], "option: values is missing"),
    ],
)
def test_mistakes_are_named(path: str, value: Any, words: str) -> None:
    """With the file and the place, and what to write."""
    assert words in refusal(changed(MODULE, path, value))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "it is empty"),
        (b"--- # nothing", "it is empty"),
        (b"a: b: c", "m.yaml, line 1: it is neither YAML nor JSON: mapping values"),
        (b"- 1", "is no Module: it has no kind"),
        (b"\xff\xfe\xff", "neither YAML nor JSON"),
        (b"\x00", "neither YAML nor JSON"),
        (b"&a [*a]", "is no Module"),
        (b"kind: Module\nx: &a [*a]", "nested too deeply, or contains itself"),
        (b"kind: Module\nx: [.nan]", "x[0] is NaN or infinite, which JSON has no form for"),
        (b"kind: Module\n? [1]\n: 2", "found unhashable key"),
        (b"kind: Module\nnull: 2", "it has a key that is no text"),
        (b"!!python/object:os.system {}", "could not determine a constructor"),
    ],
)
def test_what_is_no_document_is_refused(text: bytes, words: str) -> None:
    """In one line that names file and place."""
    with pytest.raises(RefusedError) as refused:
        reading.read("m.yaml", text)
    assert words in str(refused.value)


def test_dates_stay_text_and_keys_are_texts() -> None:
    """As in the JSON that kubectl sends."""
    text = b"kind: Module\nwhen: 2025-10-14\n2: a\ntrue: b"
    [found] = reading.read("m.yaml", text)
    assert found == {"kind": "Module", "when": "2025-10-14", "2": "a", "true": "b"}


@pytest.mark.slow
@tried
@given(values=METADATA)
def test_the_config_comes_as_it_is_given(values: Any) -> None:
    """From JSON and from YAML."""
    document = changed(MODULE, "spec.config", values)
    for text in (json.dumps(document), yaml.safe_dump(document, allow_unicode=False)):
        [found] = reading.read("m", text.encode())
        given = documents.module_of("m", found).values
        assert given == values or same(given, values)


@tried
@given(text=st.binary(max_size=60))
def test_anything_else_is_refused(text: bytes) -> None:
    """And nothing but refused."""
    with pytest.raises(RefusedError):
        reading.read("m.yaml", text)


def test_without_yaml_the_cure_is_told_and_json_is_read() -> None:
    """PyYAML belongs to an extra."""
    code = """
import sys
sys.modules["yaml"] = None
from modulehost.local import documents, reading
assert reading.read("m", b'{"kind": "Module"}') == [{"kind": "Module"}]
try:
    reading.read("m", b"kind: Module")
except reading.RefusedError as error:
    print(error)
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert (result.stdout, result.stderr) == (
        "YAML takes a package more: pip install 'modulehost[cli]'\n",
        "",
    )
