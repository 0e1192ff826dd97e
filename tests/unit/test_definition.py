"""What the operator is told of a plugin: made from its schema, and with what goes wrong there."""

from __future__ import annotations

import enum
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pluggy
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta
from support.properties import METADATA, tried
from support.schemas import schemas

from modulehost.plugin import definition
from modulehost.plugin.config import Schema
from modulehost.plugin.definition import Answer, Asked, make
from modulehost.plugin.definition_yaml import to_yaml
from modulehost.plugin.discovery import Found, Plugin
from modulehost.plugin.re2 import not_re2
from modulehost.shared.errors import PluginError

FOUND = Found("shop", "shop:Manager", "modulehost", "1.10", "A shop")
IMAGE = "registry.example.com/shop:1"


class Tier(enum.Enum):
    """An option as an enumeration."""

    PAID = "paid"
    FREE = "free"


class Config(msgspec.Struct, rename="camel"):
    """The six types, and what else a field may say."""

    app_name: Annotated[str, Meta(pattern="^[a-z]+$", title="Application")]
    replicas: Annotated[int, Meta(ge=1, lt=11)] = 3
    cpu_share: Annotated[float, Meta(ge=0.25, le=1)] = 0.5
    is_public: bool = False
    log_level: Annotated[Literal["info", "debug"], Meta(extra={"editable": False})] = "info"
    tier: Tier = Tier.FREE
    plans: Annotated[list[Tier], Meta(min_length=1, max_length=2)] = msgspec.field(
        default_factory=lambda: [Tier.FREE]
    )
    note: str | None = None


CUSTOM = """\
kind: Custom
metadata:
  name: modulehost
  version: "1.10"
  supportedOperatorVersion: '>= 0.0.0, < 1.0.0'
  description: A shop
  author: The modulehost authors
config:
- type: string
  name: Application
  alias: appName
  spec:
    required: true
    regex: ^[a-z]+$
    editable: true
- type: integer
  name: Replicas
  alias: replicas
  spec:
    required: false
    default: 3
    min: 1
    max: 10
    editable: true
- type: float
  name: Cpu share
  alias: cpuShare
  spec:
    required: false
    default: 0.5
    min: 0.25
    max: 1
    editable: true
- type: boolean
  name: Is public
  alias: isPublic
  spec:
    required: false
    default: false
    editable: true
- type: option
  name: Log level
  alias: logLevel
  spec:
    required: false
    default: info
    values:
    - info
    - debug
    editable: false
- type: option
  name: Tier
  alias: tier
  spec:
    required: false
    default: free
    values:
    - paid
    - free
    editable: true
- type: multiple-options
  name: Plans
  alias: plans
  spec:
    required: false
    default:
    - free
    values:
    - paid
    - free
    min: 1
    max: 2
    editable: true
- type: string
  name: Note
  alias: note
  spec:
    required: false
    editable: true
spec:
  image: registry.example.com/shop:1
  permissions:
  - workspace
"""

MODULE = """\
apiVersion: batch.forkspacer.com/v1
kind: Module
metadata:
  name: shop
  namespace: default
config:
- name: Application
  alias: appName
  string:
    required: true
    regex: ^[a-z]+$
    editable: true
- name: Replicas
  alias: replicas
  integer:
    required: false
    default: 3
    min: 1
    max: 10
    editable: true
- name: Is public
  alias: isPublic
  boolean:
    required: false
    default: false
    editable: true
- name: Log level
  alias: logLevel
  option:
    required: false
    default: info
    values:
    - info
    - debug
    editable: false
- name: Tier
  alias: tier
  option:
    required: false
    default: free
    values:
    - paid
    - free
    editable: true
- name: Plans
  alias: plans
  multipleOptions:
    required: false
    default:
    - free
    values:
    - paid
    - free
    min: 1
    max: 2
    editable: true
- name: Note
  alias: note
  string:
    required: false
    editable: true
spec:
  workspace:
    name: dev-workspace
    namespace: default
  custom:
    image: registry.example.com/shop:1
    permissions:
    - workspace
  config:
    appName: blog
    replicas: 4
    cpuShare: 0.75
    isPublic: true
"""


def plugin(
    config: type[msgspec.Struct] | None = Config,
    found: Found = FOUND,
    permissions: tuple[str, ...] = (),
) -> Plugin:
    """A plugin with this schema."""
    schema = None if config is None else Schema(config)
    return Plugin(found, pluggy.PluginManager("shop"), schema, permissions, {}, has_health=False)


def of(kind: Any, *default: Any) -> Plugin:
    """A plugin whose schema has the one item ``size``."""
    return plugin(msgspec.defstruct("Config", [("size", kind, *default)]))


def ask(format: str, **config: str) -> Asked:  # noqa: A002 - as the option is called
    """A question with an image, so that nothing need be said about that."""
    return msgspec.convert({"format": format, "image": IMAGE, "config": config}, Asked)


def items(answer: Answer) -> dict[str, tuple[str, dict[str, Any]]]:
    """The items of either document by alias: what they are called, and what is said of them."""
    found = {}
    for item in answer.document.get("config", []):
        kind = item.get("type") or next(iter(item.keys() - {"name", "alias"}))
        found[item["alias"]] = kind, item.get("spec") or item[kind]
    return found


def about(kind: Any, *default: Any, format: str = "module", **config: str) -> list[str]:  # noqa: A002
    """What is said about the one item of a schema."""
    return make(of(kind, *default), ask(format, **config)).warnings


class TestDocuments:
    """The two documents."""

    def test_a_definition_has_all_that_the_plugin_says(self) -> None:
        """Types, bounds, defaults, options in their order, titles, package and permissions."""
        answer = make(plugin(permissions=("workspace",)), ask("custom"))
        assert to_yaml(answer.document) == CUSTOM
        assert (answer.warnings, answer.refused) == ([], "")

    def test_a_module_has_the_same_and_the_values(self) -> None:
        """In the form that the operator has had since 2025-10."""
        values = {"appName": "blog", "replicas": "4", "cpuShare": "0.75", "isPublic": "true"}
        answer = make(plugin(permissions=("workspace",)), ask("module", **values))
        assert to_yaml(answer.document) == MODULE

    @pytest.mark.parametrize(
        ("meta", "bounds"),
        [
            (Meta(gt=0, le=9), {"min": 1, "max": 9}),
            (Meta(ge=0, lt=9), {"min": 0, "max": 8}),
            (Meta(gt=-2), {"min": -1}),
        ],
    )
    def test_bounds_are_among_the_values(self, meta: Meta, bounds: dict[str, int]) -> None:
        """The operator has no others: what must be above 0 is at least 1."""
        _, spec = items(make(of(Annotated[int, meta], 5), ask("custom")))["size"]
        assert {bound: spec[bound] for bound in ("min", "max") if bound in spec} == bounds

    def test_what_an_item_is_for_is_a_comment(self) -> None:
        """On one line, above the item; neither document has a field for it."""
        answer = make(of(Annotated[int, Meta(description="How\nmany")], 1), ask("module"))
        text = to_yaml(answer.document, answer.comments)
        assert "config:\n# How many\n- name: Size\n" in text
        assert yaml.safe_load(text) == answer.document

    def test_category_and_usage_are_in_the_definition_alone(self) -> None:
        """A Module has no fields for them."""
        usage = {"cpu": "10m", "memory": "64Mi"}
        declared = plugin()._replace(category="Database", resource_usage=usage)
        metadata = make(declared, ask("custom")).document["metadata"]
        assert (metadata["category"], metadata["resource_usage"]) == ("Database", usage)
        assert make(declared, ask("module")).document == make(plugin(), ask("module")).document

    @pytest.mark.parametrize("format", ["custom", "module"])
    def test_a_plugin_without_a_schema_has_no_items(self, format: str) -> None:  # noqa: A002
        """Nothing is said of a config, nor of permissions that are not wanted."""
        document = make(plugin(None), ask(format)).document
        assert "config" not in document
        assert document["spec"].get("custom", document["spec"]) == {"image": IMAGE}

    def test_without_a_schema_any_value_is_one(self) -> None:
        """JSON where it is some, else text."""
        answer = make(plugin(None), ask("module", a="1", b="x", c="[true]", d="null"))
        assert answer.document["spec"]["config"] == {"a": 1, "b": "x", "c": [True], "d": None}

    def test_without_an_image_a_name_stands_in(self) -> None:
        """One made of package and version, as an image may be called; and that is said."""
        found = FOUND._replace(package="My_Shop", version="1.0+abc")
        answer = make(plugin(None, found), Asked())
        assert answer.document["spec"]["custom"]["image"] == "registry.example.com/my-shop:1.0-abc"
        assert answer.warnings == [
            "registry.example.com/my-shop:1.0-abc stands in for the image; name yours with --image"
        ]

    @pytest.mark.parametrize(
        ("name", "label"),
        [
            ("my-shop", "my-shop"),
            ("My_Shop.2", "my-shop-2"),
            ("2shop", "2shop"),
            ("-", "module"),
            ("x" * 300, "x" * 253),
        ],
    )
    def test_a_modules_name_is_one_that_kubernetes_takes(self, name: str, label: str) -> None:
        """Whatever the entry point is called."""
        document = make(plugin(None, FOUND._replace(name=name)), ask("module")).document
        assert document["metadata"]["name"] == label

    @pytest.mark.parametrize(
        ("field", "author"),
        [
            ("Author: Ada", "Ada"),
            ("Author-email: Ada <ada@example.com>, Bob <bob@example.com>", "Ada, Bob"),
            ("Author-email: ada@example.com", "ada@example.com"),
            ("Summary: nobody", None),
        ],
    )
    def test_the_author_comes_from_the_package(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field: str, author: str | None
    ) -> None:
        """From either field; where there is none nothing is said."""
        folder = tmp_path / "some_shop-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: some-shop\n{field}\n")
        monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
        answer = make(plugin(None, FOUND._replace(package="some-shop")), ask("custom"))
        assert answer.document["metadata"].get("author") == author

    def test_a_schema_that_fails_is_an_error_of_the_plugin(self) -> None:
        """A default is code: what it raises is told, whatever that is."""

        def fail() -> str:
            raise SystemExit("no licence")

        failing = of(str, msgspec.field(default_factory=fail))
        with pytest.raises(PluginError, match=r"'shop' of .* cannot be made: SystemExit: no lic"):
            definition.answer(failing, {"format": "custom"})


class TestValues:
    """What somebody gives with --config."""

    @pytest.mark.parametrize(
        ("kind", "text", "value"),
        [
            (str, "3", "3"),
            (str, "", ""),
            (str, "null", "null"),
            (str | None, "a=b", "a=b"),
            (int, "3", 3),
            (int, "3.0", 3.0),
            (float, "1", 1),
            (bool, "false", False),
            (Literal["1", "2"], "2", "2"),
            (Tier, "paid", "paid"),
            (list[Literal["a", "b"]], "a,b", ["a", "b"]),
            (list[Literal["a", "b"]], '["b"]', ["b"]),
            (list[Literal["a", "b"]], "", []),
        ],
    )
    def test_text_becomes_what_the_item_takes(self, kind: Any, text: str, value: Any) -> None:
        """A number for a number, text for text, commas for a list."""
        answer = make(of(kind), ask("module", size=text))
        assert answer.refused == ""
        assert answer.document["spec"]["config"] == {"size": value}

    def test_bad_values_are_refused_all_at_once(self) -> None:
        """Each with what the item takes, or with the item that was meant."""
        given = {"appName": "Blog", "replicas": "2.7", "isPublic": "yes", "teir": "free", "x": "1"}
        assert make(plugin(), ask("module", **given)).refused == (
            "--config: appName: it takes text matching '^[a-z]+$'; replicas: it takes an integer"
            " of at least 1 and below 11; isPublic: it takes true or false; there is no item teir;"
            " did you mean tier?; there is no item x; there are appName, replicas, cpuShare,"
            " isPublic, logLevel, tier, plans, note"
        )

    def test_the_schemas_own_mind_is_heard(self) -> None:
        """What __post_init__ raises refuses the values, once all that is required is there."""

        class Picky(msgspec.Struct):
            low: int
            high: int = 0

            def __post_init__(self) -> None:
                if self.low > self.high:
                    raise ValueError("low is above high")

        answer = make(plugin(Picky), ask("module", low="1"))
        assert answer.refused == "--config: low is above high"
        assert make(plugin(Picky), ask("module", high="-1")).refused == ""

    def test_a_file_has_values_that_a_typed_one_wins_over(self) -> None:
        """Those of a file have types already."""
        values = {"appName": "blog", "replicas": 2}
        asked = msgspec.convert({"values": values, "config": {"replicas": "3"}}, Asked)
        made = make(plugin(), asked)
        assert made.document["spec"]["config"] == {"appName": "blog", "replicas": 3}
        asked = msgspec.convert({"values": {"replicas": "2"}}, Asked)
        refused = "--values: replicas: it takes an integer of at least 1 and below 11"
        assert make(plugin(), asked).refused == refused

    def test_a_definition_takes_no_values(self) -> None:
        """They have no place in it."""
        refused = make(plugin(), ask("custom", appName="blog")).refused
        assert refused == (
            "a definition has no values: --config and --values are for --format module"
        )


class TestWarnings:
    """What the operator is known to get wrong, and authors with it."""

    def test_a_list_of_options_takes_no_value(self) -> None:
        """Only the default works."""
        kind = list[Literal["a", "b"]]
        [told] = about(kind, ())
        assert told == (
            "size: the operator refuses every value for a list of options; only the default works,"
            " and min and max are never looked at"
        )
        [told] = about(kind, (), size="a")
        assert "for a list of options: take this one away; only" in told
        assert about(kind, (), format="custom") == []

    def test_a_module_has_no_floats(self) -> None:
        """The item is left out, and what the operator would check of it is no matter."""
        [told] = about(Annotated[float, Meta(gt=0)], 0.5)
        assert told.startswith("size: a Module's config has no floats, so it is left out there")
        assert items(make(of(float, 0.5), ask("module"))) == {}

    def test_what_is_required_has_no_default(self) -> None:
        """The operator refuses a missing value all the same, in both formats."""
        kind = Annotated[int, Meta(extra={"required": True})]
        [told] = about(kind, 3, format="custom")
        assert told.startswith("size: it is required and has a default, which will never be used")
        assert items(make(of(kind, 3), ask("custom")))["size"][1]["required"] is True
        assert told in about(kind, 3)

    def test_what_is_required_must_be_given(self) -> None:
        """Without a value the operator refuses the Module."""
        assert about(int) == ["size: it is required: give it a value with --config size=..."]
        assert about(int, size="1") == []
        assert about(float)[1:] == ["size: it is required: give it a value with --config size=..."]
        assert about(int, format="custom") == []

    @pytest.mark.parametrize(
        "kind", [list[Literal["a"]], Annotated[int, Meta(extra={"editable": False})]]
    )
    def test_what_can_neither_be_given_nor_left_out_is_told(self, kind: Any) -> None:
        """Such a module is never installed."""
        told = "size: it is required, yet the operator takes no value: it can never be installed"
        assert about(kind)[-1] == told

    def test_what_is_not_editable_takes_no_value(self) -> None:
        """The operator refuses one."""
        kind = Annotated[int, Meta(extra={"editable": False})]
        assert about(kind, 1) == []
        assert about(kind, 1, size="2") == [
            "size: it is not editable, so the operator refuses the value: take it away"
        ]

    def test_a_secret_in_a_module_is_none(self) -> None:
        """Whoever may read the Module can read it there."""
        kind = Annotated[str, Meta(extra={"secret": True})]
        assert about(kind, "") == []
        assert "can read its spec.config" in about(kind, "", size="x")[0]

    @pytest.mark.parametrize(
        ("kind", "default", "words"),
        [
            (Annotated[str, Meta(min_length=2)], "abc", "at least 2 characters"),
            (Annotated[str, Meta(max_length=9)], "abc", "at most 9 characters"),
            (Annotated[int, Meta(multiple_of=5)], 5, "multiples of 5"),
            (Annotated[float, Meta(gt=0)], 1.0, "numbers above 0, not 0 itself"),
            (Annotated[float, Meta(lt=2)], 1.0, "numbers below 2, not 2 itself"),
        ],
    )
    def test_what_only_the_host_checks_is_told(self, kind: Any, default: Any, words: str) -> None:
        """A value that passes the operator fails the install, which is never tried again."""
        [told] = about(kind, default, format="custom")
        assert told.startswith(f"size: it takes {words}, which the operator does not check")

    @pytest.mark.parametrize(
        ("kind", "default"),
        [
            (Annotated[int, Meta(ge=1)], 0),
            (int, "three"),
            (float, float("nan")),
            (Literal["a"], "b"),
            (str, object()),
        ],
    )
    def test_a_default_of_the_wrong_kind_is_left_out(self, kind: Any, default: Any) -> None:
        """msgspec looks at no default, so a wrong one shows here first."""
        answer = make(of(kind, default), ask("custom"))
        assert "default" not in items(answer)["size"][1]
        [told] = answer.warnings
        assert told.startswith("size: its default is left out, for it is not what it takes: ")

    @pytest.mark.parametrize(
        ("pattern", "words"),
        [
            (r"^(?=.*\d).+$", "lookarounds"),
            (r"^(?!x).+$", "lookarounds"),
            (r"^.+(?<=x)$", "lookarounds"),
            (r"^.+(?<!x)$", "lookarounds"),
            (r"^(a)\1$", "backreferences"),
            (r"^(?P<n>a)(?P=n)$", "backreferences"),
            (r"^(a)?(?(1)b|c)$", "conditions"),
            (r"^(?>a+)b$", "atomic groups"),
            (r"^a(?#why)$", "comments"),
            (r"^a++b$", "possessive repeats"),
            (r"^a{2}+b$", "possessive repeats"),
            (r"^a{1001}$", "repeats beyond 1000"),
            (r"^a{,3}$", "{,3} (write {0,3})"),
            (r"(?x)^a$", "flags x"),
            (r"^(?a:\w)$", "flags a"),
            (r"^a\Z", r"\Z (write $)"),
            (r"^\u00e9$", r"\u (write the character itself)"),
            (r"^[\u00e9]$", r"\u (write the character itself)"),
            (r"^[\b]$", r"\b in sets (write \x08)"),
            (r"^(?=a)(a)\1\1$", "lookarounds, backreferences"),
        ],
    )
    def test_what_re2_does_not_have_is_told(self, pattern: str, words: str) -> None:
        """The operator is written in Go: it cannot read every regex of Python's."""
        [told] = about(Annotated[str, Meta(pattern=pattern)] | None, None, format="custom")
        assert told == f"size: the operator cannot read its regex, for RE2 has no {words}"

    def test_re2_itself_is_asked_where_it_is_installed(self) -> None:
        """It knows more of what it does not have than any table."""
        pytest.importorskip("re2", reason="it takes google-re2")
        assert not_re2("x{2}{3}") == "form for it: bad repetition operator: {2}{3}"
        assert not_re2(r"^\pL{1,63}$") == ""

    @pytest.mark.parametrize(
        "pattern",
        [
            r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$",
            r"^a$|^b$",
            r"^(a|b)$",
            r"(?i)^a$",
            r"\A[(?=)]\\1$",
            r"^\(\?=[]\]]\123\x41{2}?(?:a)??(?P<n>b)+?$",
            r"^[|]\|$",
        ],
    )
    def test_other_regexes_pass(self, pattern: str) -> None:
        """Whatever looks alike in a set or behind a backslash."""
        assert about(Annotated[str, Meta(pattern=pattern)] | None, None) == []

    @pytest.mark.parametrize("pattern", ["a", "^a", "a$", "^a|b$", r"^a\$", "[^a]$", "^a$|"])
    def test_a_regex_for_a_part_is_told(self, pattern: str) -> None:
        """Neither the operator nor the host anchors it."""
        [told] = about(Annotated[str, Meta(pattern=pattern)] | None, None)
        assert told.startswith("size: its regex passes where a part of the value matches")


class TestYaml:
    """The text."""

    @pytest.mark.parametrize(
        "text", ["1e3", "0o17", "1_000", "12:30", "y", "N", "-.5", "+1", "1.10", "no", "null", "~"]
    )
    def test_text_stays_text_for_every_reader(self, text: str) -> None:
        """What one version of YAML or another takes for something else stands in quotes."""
        assert to_yaml({text: text}).strip() in (f'"{text}": "{text}"', f"'{text}': '{text}'")

    def test_nothing_is_an_alias(self) -> None:
        """What is there twice is written twice."""
        twice = ["a"]
        assert to_yaml({"x": twice, "y": twice}) == 'x:\n- a\n"y":\n- a\n'

    def test_long_lines_are_not_wrapped(self) -> None:
        """A description stays on its line."""
        assert len(to_yaml({"description": "word " * 60}).splitlines()) == 1

    @tried
    @given(METADATA)
    def test_any_document_comes_back(self, document: dict[str, Any]) -> None:
        """Reading the text gives the document again."""
        assert yaml.safe_load(to_yaml(document)) == document


class TestAnySchema:
    """What holds whatever the author has written."""

    @tried
    @given(schemas(), st.sampled_from(["custom", "module"]))
    def test_what_is_said_is_so(self, config: type[msgspec.Struct], form: str) -> None:
        """Defaults pass the schema and are its own, and are there unless a value is required."""
        schema = Schema(config)
        answer = make(plugin(config), ask(form))
        found = items(answer)
        left_out = {i.alias for i in schema.items if i.takes.startswith("a number")}
        assert list(found) == [
            i.alias for i in schema.items if form == "custom" or i.alias not in left_out
        ]
        required = {item.alias for item in schema.items if item.required}
        assert {alias for alias, (_, spec) in found.items() if spec["required"]} == required & {
            *found
        }
        values = {alias: spec["default"] for alias, (_, spec) in found.items() if "default" in spec}
        if not required:
            assert schema.convert(values) == schema.convert({})

    @tried
    @given(schemas())
    def test_bounds_are_those_of_the_schema(self, config: type[msgspec.Struct]) -> None:
        """An integer's bounds pass and what is beyond does not; every option passes."""
        found = items(make(plugin(config), ask("custom")))
        for item in Schema(config).items:
            kind, spec = found[item.alias]
            for bound, beyond in (("min", -1), ("max", 1)):
                if kind == "integer" and bound in spec:
                    assert item.convert(spec[bound]) == spec[bound]
                    with pytest.raises(msgspec.ValidationError):
                        item.convert(spec[bound] + beyond)
            for value in spec.get("values", []):
                item.convert(value if kind == "option" else [value])

    @tried
    @given(schemas(), st.sampled_from(["custom", "module"]))
    def test_documents_come_back_from_yaml(self, config: type[msgspec.Struct], form: str) -> None:
        """By way of another process and of YAML."""
        answer = definition.answer(plugin(config), {"format": form})
        assert yaml.safe_load(to_yaml(answer["document"])) == answer["document"]
