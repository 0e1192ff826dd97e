"""Config: a flat schema, values in, a Struct out; every problem at once and never a value."""

from __future__ import annotations

import copy
import enum
import json
import pickle
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta
from support.properties import VALUES, tried

from modulehost import Secret
from modulehost.plugin import config
from modulehost.plugin.config import Schema
from modulehost.shared import metadata
from modulehost.shared.errors import ConfigError, MetadataError
from modulehost.shared.kubeconfig import kubeconfig


class Tier(enum.Enum):
    """An option as an enumeration."""

    FREE = "free"
    PAID = "paid"


class Config(msgspec.Struct, rename="camel"):
    """Forkspacer's six types, with and without bounds."""

    app_name: Annotated[str, Meta(pattern="^[a-z]+$", min_length=2, max_length=8)]
    replicas: Annotated[int, Meta(ge=1, le=10)] = 3
    cpu_share: Annotated[float, Meta(gt=0, lt=1)] = 0.5
    is_public: bool = False
    log_level: Literal["debug", "info"] = "info"
    tier: Tier = Tier.FREE
    feature_flags: list[Literal["a", "b", "c"]] = []
    plans: list[Tier] = []
    note: str | None = None
    api_token: Annotated[str, Meta(extra={"secret": True})] = ""
    pin: Annotated[int, Meta(extra={"secret": True})] | None = None


SCHEMA = Schema(Config)
GOOD = {"appName": "shop"}

GOOD_VALUES: list[tuple[str, str, Any, Any]] = [
    ("appName", "app_name", "blog", "blog"),
    ("replicas", "replicas", 10, 10),
    ("replicas", "replicas", 4.0, 4),
    ("cpuShare", "cpu_share", 0.25, 0.25),
    ("isPublic", "is_public", True, True),
    ("logLevel", "log_level", "debug", "debug"),
    ("tier", "tier", "paid", Tier.PAID),
    ("featureFlags", "feature_flags", ["c", "a"], ["c", "a"]),
    ("featureFlags", "feature_flags", [], []),
    ("plans", "plans", ["paid"], [Tier.PAID]),
    ("note", "note", "hello", "hello"),
    ("note", "note", None, None),
    ("replicas", "replicas", None, 3),
    ("pin", "pin", 1234, 1234),
]

BAD_VALUES: list[tuple[str, Any, str]] = [
    ("appName", "Shop", "this text"),
    ("appName", "s", "this text"),
    ("appName", "shopshopshop", "this text"),
    ("appName", 1, "an integer"),
    ("appName", ["shop"], "a list"),
    ("replicas", 0, "this integer"),
    ("replicas", 11, "this integer"),
    ("replicas", 11.0, "this integer"),
    ("replicas", 2.7, "a fraction"),
    ("replicas", "3", "text"),
    ("replicas", True, "a boolean"),
    ("cpuShare", 1, "this integer"),
    ("cpuShare", 1.5, "this fraction"),
    ("cpuShare", "0.5", "text"),
    ("cpuShare", False, "a boolean"),
    ("isPublic", 1, "an integer"),
    ("isPublic", "true", "text"),
    ("logLevel", "loud", "this text"),
    ("logLevel", {}, "an object"),
    ("tier", "PAID", "this text"),
    ("tier", 0.5, "a fraction"),
    ("featureFlags", ["a", "d"], "this list"),
    ("featureFlags", "a", "text"),
    ("featureFlags", [1], "this list"),
    ("plans", ["free", None], "this list"),
]

TAKES = {
    "appName": "text matching '^[a-z]+$' and of at least 2 characters and of at most 8 characters",
    "replicas": "an integer of at least 1 and of at most 10",
    "cpuShare": "a number above 0 and below 1",
    "isPublic": "true or false",
    "logLevel": "one of debug, info",
    "tier": "one of free, paid",
    "featureFlags": "a list of a, b, c",
    "plans": "a list of free, paid",
    "note": "text",
    "apiToken": "text",
    "pin": "an integer",
}


def refusal(values: dict[str, Any]) -> str:
    """The reason for which the values are refused."""
    with pytest.raises(ConfigError) as caught:
        SCHEMA.convert(values)
    return str(caught.value)


class TestConversion:
    """Values in, a Struct out."""

    def test_defaults_are_filled_in(self) -> None:
        """What the user did not write has the schema's default."""
        assert SCHEMA.convert(GOOD) == (Config("shop"), [])

    @pytest.mark.parametrize(("alias", "name", "given", "value"), GOOD_VALUES)
    def test_good_values_are_taken(self, alias: str, name: str, given: Any, value: Any) -> None:
        """Each of the six types takes what belongs to it; null is the same as nothing."""
        converted, unknown = SCHEMA.convert({**GOOD, alias: given})
        assert getattr(converted, name) == value
        assert type(getattr(converted, name)) is type(value)
        assert unknown == []

    @pytest.mark.parametrize(("alias", "given", "kind"), BAD_VALUES)
    def test_bad_values_are_refused(self, alias: str, given: Any, kind: str) -> None:
        """All else is refused, with the alias, what the item takes and what kind came."""
        reason = f"config: {alias}: it takes {TAKES[alias]}, not {kind}"
        assert refusal({**GOOD, alias: given}) == reason

    @pytest.mark.parametrize("values", [{}, {"appName": None}])
    def test_a_missing_value_is_named(self, values: dict[str, Any]) -> None:
        """A required item that is not there, or null, is missing."""
        assert refusal(values) == f"config: appName: missing; it takes {TAKES['appName']}"

    def test_a_key_with_a_mistake_is_named_where_something_is_wrong(self) -> None:
        """It is the cause more often than not; the Python name is one, too."""
        missing = f"config: appName: missing; it takes {TAKES['appName']}"
        reason = refusal({"app_name": "shop", "Zoo": "secret-value"})
        assert reason == f"{missing}; Zoo: there is no such item; app_name: there is no such item"

    def test_every_problem_is_told_at_once(self) -> None:
        """One line has all problems, in the order of the schema."""
        reason = refusal({"tier": 1, "replicas": 2.7, "isPublic": "no"})
        assert re.findall(r"(\w+): (?:it takes|missing)", reason) == [
            "appName",
            "replicas",
            "isPublic",
            "tier",
        ]

    def test_unknown_keys_are_named(self) -> None:
        """Keys that the schema does not know are no error; they are told, sorted."""
        assert SCHEMA.convert({**GOOD, "zoo": 1, "app_name": 2})[1] == ["app_name", "zoo"]

    def test_a_class_of_its_own_mind_is_heard(self) -> None:
        """What __post_init__ raises is the reason, whatever kind of error it is."""

        class Picky(msgspec.Struct):
            low: int = 0
            high: int = 0

            def __post_init__(self) -> None:
                if self.low > self.high:
                    raise ValueError("low is above high")
                {0: "even", 1: "odd"}[self.high]

        with pytest.raises(ConfigError, match=r"^config: low is above high$"):
            Schema(Picky).convert({"low": 1})
        with pytest.raises(ConfigError, match=r"^config: KeyError: 2$"):
            Schema(Picky).convert({"high": 2})

    @tried
    @given(st.data())
    def test_exactly_the_bad_items_are_told(self, data: st.DataObject) -> None:
        """Of any mixture of values just the bad ones are named, each once."""
        good = {alias: value for alias, _, value, _ in GOOD_VALUES if data.draw(st.booleans())}
        bad = {alias: value for alias, value, _ in BAD_VALUES if data.draw(st.booleans())}
        expected = [alias for alias in TAKES if alias in bad]
        values = {**GOOD, **good, **bad}
        if not expected:
            assert SCHEMA.convert(values)[1] == []
            return
        assert re.findall(r"(\w+): it takes", refusal(values)) == expected

    @tried
    @given(st.dictionaries(st.sampled_from([*TAKES, "other"]), VALUES))
    def test_any_json_is_a_config_or_refused(self, values: dict[str, Any]) -> None:
        """Whatever comes, there is a config with the types of the schema, or an error."""
        try:
            converted, _ = SCHEMA.convert(values)
        except ConfigError as error:
            reason = str(error)
        else:
            assert msgspec.convert(msgspec.to_builtins(converted), Config) == converted
            return
        assert reason.startswith("config: ")

    @tried
    @given(
        st.fixed_dictionaries(
            {
                alias: st.sampled_from(
                    [
                        "MARKED",
                        ["MARKED"],
                        {"MARKED": "MARKED"},
                        77665544,
                        7766.5544,
                        ["a", 77665544],
                    ]
                )
                for alias in TAKES
            }
        )
    )
    def test_no_value_is_shown(self, values: dict[str, Any]) -> None:
        """A refusal never holds what the user wrote."""
        reason = refusal({**values, "isPublic": "MARKED"})
        assert not re.search("MARKED|7766|5544", reason)


class TestSecrets:
    """What must be blotted out."""

    def test_marked_items_are_secret(self) -> None:
        """The texts of marked items, optional ones too; no empty ones and no others."""
        found = SCHEMA.secrets({**GOOD, "apiToken": "t0ps3cret", "pin": 1234})
        assert found == {"apiToken": ["t0ps3cret"], "pin": ["1234"]}
        assert SCHEMA.secrets({"appName": "shop"}) == {"apiToken": [], "pin": []}


class TestPick:
    """A body that holds the config."""

    def test_only_aliases_are_picked(self) -> None:
        """The keys that the schema knows, by alias; the rest of a body is metadata."""
        body = {"appName": "shop", "replicas": None, "app_name": "no", "deployment": "x"}
        assert SCHEMA.pick(body) == {"appName": "shop", "replicas": None}


class TestSchema:
    """Schemas that are none."""

    def test_the_six_types_are_no_problem(self) -> None:
        """A schema of Forkspacer's types passes."""
        assert SCHEMA.problems() == []

    @pytest.mark.parametrize(
        "kind",
        [
            dict[str, str],
            list[int],
            list[str],
            int | str,
            Any,
            bytes,
            Literal[1, 2],
            list[list[Literal["a"]]],
            Config,
            set[int],
        ],
    )
    def test_other_types_are_named(self, kind: Any) -> None:
        """An item of any other type is a problem of the schema."""
        schema = Schema(msgspec.defstruct("Odd", [("fine", int), ("odd_one", kind)]))
        (problem,) = schema.problems()
        assert problem.startswith("config item 'odd_one' is none of the six types")

    def test_options_are_listed(self) -> None:
        """The texts of an option are known, for messages and documents."""
        options = {item.name: config.options_of(item.info) for item in SCHEMA.items}
        assert options["log_level"] == ["debug", "info"]
        assert options["tier"] == ["free", "paid"]
        assert options["replicas"] == []


class TestFiles:
    """What the operator mounts."""

    def test_no_file_is_none(self, tmp_path: Path) -> None:
        """No file, no folder, or a file in the folder's place: there is no mounted config."""
        (tmp_path / "file").touch()
        for folder in (tmp_path, tmp_path / "nothing", tmp_path / "file"):
            assert config.read_file(str(folder)) is None
            assert kubeconfig(str(folder)) is None

    @pytest.mark.parametrize("text", ["", "null", "{}", "\n{ }\n"])
    def test_an_empty_file_is_an_empty_config(self, tmp_path: Path, text: str) -> None:
        """An empty file holds a config without values, which is not the same as no file."""
        (tmp_path / "config.json").write_text(text)
        assert config.read_file(str(tmp_path)) == {}

    def test_values_are_read(self, tmp_path: Path) -> None:
        """The values as the user wrote them."""
        values = {"appName": "shop", "replicas": 3, "x": [1.5, {"y": None}]}
        (tmp_path / "config.json").write_text(json.dumps(values))
        assert config.read_file(str(tmp_path)) == values

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            (b"{MARKED", "is not JSON"),
            (b'{"MARKED": NaN}', "is not JSON"),
            (b'{"MARKED": "\xff"}', "is not JSON"),
            (b'{"a":' * 100_000, "is not JSON"),
            (b"1e999", "is not JSON"),
            (b'["MARKED"]', "is not a JSON object"),
            (b'"MARKED"', "is not a JSON object"),
            (b"0", "is not a JSON object"),
        ],
    )
    def test_a_bad_file_is_named(self, tmp_path: Path, text: bytes, problem: str) -> None:
        """What is no JSON object is refused with the file's path, and nothing of what is in it."""
        (tmp_path / "config.json").write_bytes(text)
        with pytest.raises(ConfigError) as caught:
            config.read_file(str(tmp_path))
        assert str(caught.value) == f"{tmp_path}/config.json {problem}"

    def test_an_unreadable_file_is_named(self, tmp_path: Path) -> None:
        """A file that cannot be read is an error, not a missing one."""
        (tmp_path / "config.json").mkdir()
        with pytest.raises(ConfigError, match=r"config\.json cannot be read: Is a directory"):
            config.read_file(str(tmp_path))

    def test_the_kubeconfig_is_a_path(self, tmp_path: Path) -> None:
        """The workspace's kubeconfig is given as a path when it is there."""
        (tmp_path / "workspace_kubeconfig").touch()
        assert kubeconfig(str(tmp_path)) == f"{tmp_path}/workspace_kubeconfig"

    @tried
    @given(binary=st.binary(max_size=60))
    def test_any_file_is_an_object_or_refused(
        self, tmp_path_factory: pytest.TempPathFactory, binary: bytes
    ) -> None:
        """Whatever is in the file, there are values or a ConfigError."""
        folder = tmp_path_factory.getbasetemp() / "any"
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_bytes(binary)
        try:
            assert isinstance(config.read_file(str(folder)), dict)
        except ConfigError as error:
            reason = str(error)
        else:
            return
        assert reason.startswith(f"{folder}/config.json is not ")


class Guarded(msgspec.Struct):
    """Items of the type that keeps its value to itself."""

    password: Annotated[Secret[str], Meta(pattern="^[a-z]+$", min_length=4)]
    token: Secret[Annotated[str, Meta(max_length=8)]] = Secret("")
    pin: Secret[int] | None = None
    plain: Secret[str] = msgspec.field(default_factory=lambda: Secret("made-up"))


class TestSecretType:
    """``Secret`` as the type of an item."""

    def test_its_value_is_had_by_asking_only(self) -> None:
        """As text, in a format, a repr, a log line and JSON's last resort it is stars."""
        made, _ = Schema(Guarded).convert({"password": "hunter", "pin": 1234})
        assert isinstance(made, Guarded)
        assert (made.password.reveal(), made.token.reveal()) == ("hunter", "")
        assert made.pin == Secret(1234)
        for text in (
            str(made.password), repr(made.password), f"{made.password}", f"{made.password:<3}",
            json.dumps(made.password, default=str).strip('"'),
            msgspec.json.encode(made.password, enc_hook=str).decode().strip('"'),
        ):  # fmt: skip
            assert text == "***"
        assert "hunter" not in repr(made)
        assert copy.deepcopy(made) == made
        assert bool(made.password)
        assert not made.token
        with pytest.raises(TypeError, match="a Secret is not pickled"):
            pickle.dumps(made.password)

    def test_rules_hold_for_the_value(self) -> None:
        """Wherever in the type they stand; what it takes is told, the value is not."""
        with pytest.raises(ConfigError) as caught:
            Schema(Guarded).convert({"password": "no", "token": "much too long", "pin": "x"})
        assert str(caught.value) == (
            "config: password: it takes text matching '^[a-z]+$' and of at least 4 characters, not"
            " this text; token: it takes text of at most 8 characters, not this text; pin: it"
            " takes an integer, not text"
        )

    def test_it_is_secret_with_its_defaults(self) -> None:
        """What is given, else the default."""
        schema = Schema(Guarded)
        assert schema.problems() == []
        assert all(item.secret for item in schema.items)
        found = schema.secrets({"password": "hunter", "pin": 1234.0})
        assert found["password"] == ["hunter"]
        assert "1234" in found["pin"]
        assert (found["token"], found["plain"]) == ([], ["made-up"])

    def test_metadata_does_not_take_it(self) -> None:
        """By name, place and type."""
        with pytest.raises(MetadataError, match=r'^metadata\["a"\]\[0\] is of type Secret'):
            metadata.encode({"a": [Secret("hunter")]}, 1000)


PROBLEMS: list[tuple[Any, Any, str]] = [
    (
        Annotated[str, Meta(extra={"secrets": True})],
        "",
        "'secrets'; did you mean 'secret'?",
    ),
    (Annotated[str, Meta(extra={"Secret": True})], "", "extra has 'Secret'; did you mean 'secret'"),
    (Annotated[str, Meta(extra={"hidden": True})], "", "the keys are editable, required, secret"),
    (
        Annotated[str, Meta(extra={"secret": "yes"})],
        "",
        "in its extra takes True or False",
    ),
    (Secret[str], "", "its default is no Secret; write Secret(...)"),
    (list[Secret[str]], None, "is none of the six types"),
]


@pytest.mark.parametrize(("kind", "default", "problem"), PROBLEMS)
def test_a_secret_that_would_be_none_is_an_error(kind: Any, default: Any, problem: str) -> None:
    """At load, by the item's name."""
    schema = Schema(msgspec.defstruct("Odd", [("token", kind, default)]))
    (told,) = schema.problems()
    assert told.startswith("config item 'token'")
    assert problem in told


def test_keys_of_somebody_else_are_left_alone() -> None:
    """Those with a dot in them."""
    kind = Annotated[str, Meta(extra={"acme.docs": "x", "secret": True, "editable": False})]
    assert Schema(msgspec.defstruct("Fine", [("token", kind, "")])).problems() == []


def test_what_a_configs_own_check_says_is_redacted() -> None:
    """Before it becomes one line."""

    class Checked(msgspec.Struct):
        token: Secret[str]

        def __post_init__(self) -> None:
            raise ValueError(f"{self.token.reveal()} is wrong")

    with pytest.raises(ConfigError, match=r"^config: \*\*\* is wrong$"):
        Schema(Checked).convert({"token": "a\nb"}, lambda text: text.replace("a\nb", "***"))
