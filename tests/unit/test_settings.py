"""Settings: what is promised, what is taken, and that all who tell of them agree."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.interpreter import run
from support.properties import tried

from modulehost.shared.errors import SettingError
from modulehost.shared.settings import DEFAULT_DEADLINE, SETTINGS, Settings

PROMISED = {
    "PORT": ("8080", "port", 8080),
    "MODULE_PLUGIN": ("", "plugin", None),
    "MODULE_CONFIG_DIR": ("/forkspacer", "config_dir", "/forkspacer"),
    "MODULE_STATE_DIR": ("/tmp/modulehost", "state_dir", "/tmp/modulehost"),
    "MODULE_DEADLINE": ("", "deadline", None),
    "MODULE_GRACE": ("10", "grace", 10.0),
    "MODULE_IDLE": ("120", "idle", 120.0),
    "MODULE_MAX_BODY": ("1MiB", "max_body", 1_048_576),
    "MODULE_MAX_METADATA": ("192KiB", "max_metadata", 196_608),
    "MODULE_LOG_LEVEL": ("info", "log_level", "info"),
    "MODULE_LOG_FORMAT": ("", "log_format", None),
    "MODULE_SECRETS": ("kubernetes", "secrets", "kubernetes"),
    "MODULE_STORE": ("", "store", None),
}
"""What documentation and image promise: text, field and value of each default."""

GOOD: list[tuple[str, str, Any]] = [
    ("PORT", "1", 1),
    ("PORT", " 65535 ", 65535),
    ("MODULE_PLUGIN", "example", "example"),
    ("MODULE_CONFIG_DIR", "/etc/x", "/etc/x"),
    ("MODULE_DEADLINE", "0.5", 0.5),
    ("MODULE_DEADLINE", "1800", 1800.0),
    ("MODULE_GRACE", "1e1", 10.0),
    ("MODULE_IDLE", "0", 0.0),
    ("MODULE_IDLE", "0.0", 0.0),
    ("MODULE_MAX_BODY", "1000", 1000),
    ("MODULE_MAX_BODY", "5B", 5),
    ("MODULE_MAX_BODY", "2 KiB", 2048),
    ("MODULE_MAX_BODY", "2Ki", 2048),
    ("MODULE_MAX_METADATA", "3Mi", 3 << 20),
    ("MODULE_LOG_LEVEL", "WARNING", "warning"),
    ("MODULE_LOG_FORMAT", "Console", "console"),
]

BAD: list[tuple[str, str]] = [
    ("PORT", "0"),
    ("PORT", "65536"),
    ("PORT", "http"),
    ("PORT", "-1"),
    ("PORT", "80.0"),
    ("MODULE_DEADLINE", "0"),
    ("MODULE_DEADLINE", "-5"),
    ("MODULE_DEADLINE", "15m"),
    ("MODULE_DEADLINE", "nan"),
    ("MODULE_DEADLINE", "inf"),
    ("MODULE_GRACE", "0"),
    ("MODULE_IDLE", "-1"),
    ("MODULE_IDLE", "never"),
    ("MODULE_IDLE", "nan"),
    ("MODULE_MAX_BODY", "0"),
    ("MODULE_MAX_BODY", "1MB"),
    ("MODULE_MAX_BODY", "1.5MiB"),
    ("MODULE_MAX_BODY", "-1"),
    ("MODULE_MAX_METADATA", "much"),
    ("MODULE_LOG_LEVEL", "loud"),
    ("MODULE_LOG_FORMAT", "xml"),
]

ENVIRONMENTS = st.fixed_dictionaries(
    {},
    optional={s.variable: st.text() | st.sampled_from([text for _, text in BAD]) for s in SETTINGS},
)


class TestDefaults:
    """What is promised."""

    def test_defaults_are_as_promised(self) -> None:
        """Every variable, its default and what that means; nothing more and nothing less."""
        defaults = Settings.from_env({})
        told = {s.variable: (s.default, s.field, getattr(defaults, s.field)) for s in SETTINGS}
        assert told == PROMISED

    def test_an_operation_has_a_quarter_of_an_hour(self) -> None:
        """The deadline when neither the setting nor the plugin says otherwise."""
        assert DEFAULT_DEADLINE == 900

    def test_every_field_has_its_variable(self) -> None:
        """No setting that cannot be set."""
        assert {s.field for s in SETTINGS} == set(Settings.__struct_fields__)

    def test_the_host_sleeps_later_than_the_client_closes(self) -> None:
        """Go's client keeps idle connections for 90 s; sooner than that none may be closed."""
        assert Settings.from_env({}).idle > 90


class TestReading:
    """What is taken."""

    @pytest.mark.parametrize(("variable", "text", "value"), GOOD)
    def test_good_values_are_taken(self, variable: str, text: str, value: Any) -> None:
        """Each variable in each of its forms; the others stay at their defaults."""
        settings = Settings.from_env({variable: text})
        field = PROMISED[variable][1]
        assert getattr(settings, field) == value
        for name, other, default in PROMISED.values():
            assert other == field or getattr(settings, other) == default, name

    @pytest.mark.parametrize("variable", PROMISED)
    @pytest.mark.parametrize("text", ["", "  "])
    def test_empty_is_unset(self, variable: str, text: str) -> None:
        """An empty variable is as one that is not there."""
        assert Settings.from_env({variable: text}) == Settings.from_env({})

    @pytest.mark.parametrize(("variable", "text"), BAD)
    def test_bad_values_are_named(self, variable: str, text: str) -> None:
        """The error has the variable, the value, and what it takes."""
        takes = {s.variable: s.takes for s in SETTINGS}[variable]
        with pytest.raises(SettingError) as caught:
            Settings.from_env({variable: text})
        assert str(caught.value) == f"{variable}={text!r}: it takes {takes}"

    def test_all_bad_values_are_named_at_once(self) -> None:
        """One line names every one, in the order of the table."""
        with pytest.raises(SettingError) as caught:
            Settings.from_env({"MODULE_LOG_LEVEL": "loud", "PORT": "x", "MODULE_GRACE": "soon"})
        assert re.findall(r"(\w+)='", str(caught.value)) == [
            "PORT",
            "MODULE_GRACE",
            "MODULE_LOG_LEVEL",
        ]

    def test_the_good_ones_count_all_the_same(self) -> None:
        """A host that serves the reason takes what is right and the default for what is not."""
        environ = {"MODULE_GRACE": "soon", "MODULE_LOG_LEVEL": "debug"}
        settings = Settings.good_from_env(environ)
        assert (settings.grace, settings.log_level) == (10.0, "debug")

    def test_other_variables_are_left_alone(self) -> None:
        """What is not ours is not looked at."""
        assert Settings.from_env({"MODULE_PORT": "x", "port": "1"}) == Settings.from_env({})

    @tried
    @given(ENVIRONMENTS)
    def test_any_environment_is_settings_or_an_error(self, environ: dict[str, str]) -> None:
        """Whatever the variables hold: settings, or one error that names bad ones; and a start."""
        assert isinstance(Settings.good_from_env(environ), Settings)
        try:
            settings = Settings.from_env(environ)
        except SettingError as error:
            reason = str(error)
        else:
            assert settings == Settings.good_from_env(environ)
            return
        assert any(reason.startswith(f"{variable}=") for variable in environ)


class TestTold:
    """What is told of them."""

    @pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.variable)
    def test_every_setting_has_its_reason(self, setting: Any) -> None:
        """What it takes and what it is for, in words."""
        assert setting.takes
        assert setting.reason

    def test_the_help_shows_all_settings(self) -> None:
        """``modulehost serve --help``: variable, default, what for, what it takes; no more."""
        text = run("-m", "modulehost", "serve", "--help", COLUMNS="100").stdout
        words = " ".join(text.split())
        rows = re.findall(r"^  ([A-Z][A-Z_]+) +(\S+)", text, re.MULTILINE)
        assert rows == [(s.variable, s.default or "-") for s in SETTINGS]
        for setting in SETTINGS:
            assert setting.reason in words
            assert setting.takes in words


@pytest.mark.parametrize(
    ("variable", "told"),
    [
        ("MODULE_IDEL", "MODULE_IDEL is no setting; did you mean MODULE_IDLE?"),
        ("MODULE_PLUGINS", "MODULE_PLUGINS is no setting; did you mean MODULE_PLUGIN?"),
        ("MODULE_QUARK", "MODULE_QUARK is no setting; modulehost serve --help lists them"),
    ],
)
def test_a_variable_that_looks_like_a_setting_is_told(variable: str, told: str) -> None:
    """With what was meant, where that can be guessed."""
    assert Settings.unknown({variable: "3", "MODULE_IDLE": "3"}) == [told]


@pytest.mark.parametrize(
    "variable",
    [
        *("MODULE_A_SERVICE_HOST", "MODULE_A_SERVICE_PORT_HTTP", "MODULE_A_PORT"),
        *("MODULE_A_PORT_80_TCP_ADDR", "MODULEHOST_LOCAL", "PORTS", *PROMISED),
    ],
)
def test_others_are_not(variable: str) -> None:
    """What Kubernetes sets for a Service that is called module-a, for example."""
    assert Settings.unknown({variable: "tcp://10.0.0.1:80"}) == []
