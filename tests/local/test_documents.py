"""What is read of a file, as kubectl and the API server take it."""

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
from modulehost.local.choice import image_notes
from modulehost.local.documents import Module
from modulehost.local.errors import RefusedError
from modulehost.plugin.definition_yaml import to_yaml
from modulehost.plugin.discovery import Found
from modulehost.shared.image import image_problem

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


def read(document: object, *, is_strict: bool = True) -> tuple[Module, list[str]]:
    """The Module of a document that was written as YAML, and what was dropped."""
    [found] = reading.read("m.yaml", yaml.safe_dump(document).encode())
    taken = documents.take("m.yaml", found, is_strict=is_strict)
    return taken.module, taken.dropped


def refusal(document: object) -> str:
    """Why it is refused."""
    with pytest.raises(RefusedError) as refused:
        read(document)
    assert str(refused.value).isprintable()
    return str(refused.value)


def test_what_the_crd_has_defaults_for_is_filled_in() -> None:
    """In the definition and the spec; not in the config."""
    module, dropped = read(MODULE)
    assert (module.name, module.namespace, module.workspace) == ("shop", "default", "default/dev")
    assert (module.image, module.permissions) == ("x/shop:1", ["workspace"])
    assert (module.is_hibernated, module.values, dropped) == (False, {"copies": 2}, [])
    assert module.items == [
        {
            "name": "Copies",
            "alias": "copies",
            "integer": {"min": 1, "required": False, "editable": True, "default": 0},
        }
    ]


def test_the_format_before_october_2025_is_not_taken() -> None:
    """kubectl refuses it; past its check the API server drops the definition."""
    definition = {"kind": "Custom", "spec": {"image": "x/shop:1"}}
    spec = {"workspace": {"name": "dev"}, "source": {"raw": definition}}
    document = changed(MODULE, "spec", spec)
    assert refusal(document).startswith(
        'm.yaml: strict decoding error: unknown field "spec.source"; did you mean custom?'
    )
    module, dropped = read(document, is_strict=False)
    assert (module.is_custom, module.image) == (False, "")
    assert dropped[0].startswith('the API server drops the unknown field "spec.source"')
    with pytest.raises(RefusedError, match=r"a resource definition .* does not take: modul"):
        reading.read("m.yaml", b"kind: Custom")


def test_null_is_dropped() -> None:
    """As ``kubectl apply`` does, at any depth but in lists."""
    values = {"a": None, "b": {"c": None, "d": [None]}}
    module, dropped = read(changed(MODULE, "spec.config", values))
    assert module.values == {"b": {"d": [None]}}
    assert dropped == [
        "spec.config.a is null, which kubectl apply drops",
        "spec.config.b.c is null, which kubectl apply drops",
    ]


@pytest.mark.parametrize("name", ["1st", "shop.prod", "a.b-c.9", "x" * 253])
def test_names_are_those_that_kubernetes_takes(name: str) -> None:
    """Dots, a leading digit, 253 characters."""
    assert read(changed(MODULE, "metadata.name", name))[0].name == name


def test_several_documents() -> None:
    """Modules are taken, other kinds are passed over."""
    texts = [MODULE, {"kind": "Secret"}, None, MODULE]
    found = reading.read("m.yaml", yaml.safe_dump_all(texts).encode())
    assert [document["kind"] for document in found] == ["Module", "Module"]


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("apiVersion", None, "apiVersion is missing; write batch.forkspacer.com/v1"),
        ("apiVersion", "v1", "apiVersion is v1; write batch.forkspacer.com/v1"),
        ("kind", "Modul", 'm.yaml: no matches for kind "Modul"; did you mean Module?'),
        ("kind", None, "is no Module: it has no kind"),
        ("metadata", None, "m.yaml: metadata.name is missing"),
        ("metadata.name", None, "m.yaml: metadata.name is missing"),
        ("metadata.name", 7, "m.yaml: metadata.name is missing"),
        (
            "metadata.name",
            "My_Shop",
            'metadata.name: Invalid value: "My_Shop": it takes',
        ),
        ("metadata.name", "a..b", "a letter or digit at either end of each part"),
        ("metadata.name", "x" * 254, "at most 253"),
        ("metadata.annotations", {"a": 1}, "metadata.annotations: all values are texts"),
        ("spec", None, "m.yaml: it: 'spec' is a required property"),
        ("spec.workspace", None, "m.yaml: spec: 'workspace' is a required property"),
        ("spec.workspace.name", "", "m.yaml: spec.workspace.name: '' should be non-empty"),
        ("spec.worspace", {}, 'unknown field "spec.worspace"; did you mean workspace?'),
        ("spec.custom", None, "m.yaml: spec.custom is missing: it names the image"),
        ("spec.custom.image", None, "m.yaml: spec.custom: 'image' is a required property"),
        ("spec.custom.permissions", ["root"], "permissions[0]: 'root' is not one of ['workspace'"),
        ("spec.config", [1], "spec.config: [1] is not of type 'object'"),
        ("spec.helm", {"chart": {}}, "it is a Helm module, which has no plugin"),
        ("config", [{"alias": "x"}], "config[0]: 'name' is a required property"),
        ("config", [{"name": "x", "alias": "x", "integer": {"min": 1.5}}], "config[0].integer.min"),
        ("config", [{"name": "x", "alias": "x", "option": {}}], "option: 'values' is a required"),
        ("config", [{"name": "x", "alias": "x", "float": {}}], 'unknown field "config[0].float"'),
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
        (b"kind: Module\na: 1\na: 2", 'm.yaml, line 3: key "a" already set in map; keep one'),
        (b"kind: Module\nx: [{b: 1, c: 2, b: 3}]", 'line 2: key "b" already set in map'),
        (b'{"kind": "Module", "x": {"a": 1, "a": 1}}', 'm.yaml: key "a" already set in map'),
        (b"!!python/object:os.system {}", "could not determine a constructor"),
    ],
)
def test_what_is_no_document_is_refused(text: bytes, words: str) -> None:
    """In one line that names file and place."""
    with pytest.raises(RefusedError) as refused:
        reading.read("m.yaml", text)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2025-10-14", "2025-10-14"),
        ("12:30", "12:30"),
        ("1e3", 1000),
        (".5", 0.5),
        ("5.", 5),
        ("-7", -7),
        ("0x1F", 31),
        ("010", 8),
        ("1_000", 1000),
        ("1.2.3", "1.2.3"),
        ("on", True),
        ("'1'", "1"),
        ("{<<: {a: 1}, a: 2}", {"a": 2}),
    ],
)
def test_values_are_those_of_kubectl(text: str, value: Any) -> None:
    """Go's numbers; dates stay text, for JSON has none."""
    [found] = reading.read("m.yaml", f"kind: Module\nx: {text}".encode())
    assert found["x"] == value
    assert isinstance(found["x"], bool) == isinstance(value, bool)


def test_keys_are_texts() -> None:
    """As in the JSON that kubectl sends."""
    [found] = reading.read("m.yaml", b"kind: Module\n2: a\ntrue: b")
    assert found == {"kind": "Module", "2": "a", "true": "b"}


def without_nulls(value: Any) -> Any:
    """The value without the keys that are null."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


@pytest.mark.slow
@tried
@given(values=METADATA)
def test_the_config_comes_as_it_is_given(values: Any) -> None:
    """From JSON and from YAML."""
    document = changed(MODULE, "spec.config", values)
    for text in (json.dumps(document), to_yaml(document)):
        [found] = reading.read("m", text.encode())
        given = documents.take("m", found).module.values
        assert same(given, without_nulls(values))


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


def test_without_a_validator_the_cure_is_told() -> None:
    """It belongs to the same extra."""
    code = """
import sys
sys.modules["jsonschema"] = None
from modulehost.local import documents
metadata = {"name": "shop"}
document = {"apiVersion": documents.API_VERSION, "metadata": metadata, "spec": {}}
try:
    documents.take("m", document)
except documents.RefusedError as error:
    print(error)
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.stdout == "Modules take a package more: pip install 'modulehost[cli]'\n"


@pytest.mark.parametrize(
    ("image", "cure"),
    [
        ("https://x/Shop:1", "did you mean x/shop:1?"),
        ("x/shop 1", "did you mean x/shop1?"),
        ("x/shop:", "it takes REGISTRY/NAME:TAG"),
        ("x/shop:1:2", "it takes REGISTRY/NAME:TAG"),
    ],
)
def test_what_is_no_image_is_told(image: str, cure: str) -> None:
    """With what was meant, where that can be guessed."""
    assert image_problem(image) == f"{image!r} is no name of an image; {cure}"


@pytest.mark.parametrize(
    "image", ["shop", "x/a-b__c.d:V1_2", "x:5000/team/shop@sha256:" + "a" * 64, "[::1]:5/x"]
)
def test_names_of_images_pass(image: str) -> None:
    """Registry with port, folders, tag, digest."""
    assert image_problem(image) == ""


@pytest.mark.parametrize(
    ("image", "was_named", "told"),
    [
        ("x/shop:1", False, []),
        ("x/modulehost-shop", False, []),
        ("x/{{ .shop }}", False, []),
        ("x/bank:1", True, ["the image x/bank:1 is that of the plugin bank, but shop is served"]),
        ("x/other", True, []),
        (
            "x/other",
            False,
            [
                "the image x/other is called after neither the plugin shop nor its package, which"
                " is served: is it the right one?"
            ],
        ),
    ],
)
def test_an_image_of_another_plugin_is_told(image: str, was_named: bool, told: list[str]) -> None:
    """Also where only one plugin is there: it is then served for whatever image."""
    found = [Found(name, "x", f"modulehost-{name}", "1", "") for name in ("shop", "bank")]
    assert image_notes(found, image, "shop", was_named=was_named) == told


def test_a_kind_that_is_nearly_a_module_is_refused() -> None:
    """As kubectl does; a document of another kind is passed over, and told."""
    module = b"kind: Module\nmetadata: {name: shop}\n---\n"
    told: list[str] = []
    [found] = reading.read("a.yaml", module + b"kind: Secret\n", tell=told.append)
    assert found["kind"] == "Module"
    assert told == ["a.yaml: a document of the kind Secret is passed over"]
    for kind in ("Modul", "module", "Modules"):
        with pytest.raises(RefusedError) as caught:
            reading.read("a.yaml", module + f"kind: {kind}\n".encode())
        assert str(caught.value) == f'a.yaml: no matches for kind "{kind}"; did you mean Module?'
