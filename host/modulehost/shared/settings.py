"""The host's settings: environment variables, each with its unit, its default and its reason."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, TypeVar

import msgspec

from modulehost.shared.errors import SettingError
from modulehost.shared.records import MOST_KEPT

T = TypeVar("T")

DEFAULT_DEADLINE = 900.0
"""Seconds for an operation when neither MODULE_DEADLINE nor the plugin says otherwise."""


HEALTH_DEADLINE = 5.0
"""Seconds for the health hook while nothing runs."""


_OF_SERVICES: Final = re.compile(r"_SERVICE_(HOST|PORT)(_\w+)?$|_PORT(_\d+_(TCP|UDP|SCTP)\w*)?$")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings, converted. ``SETTINGS`` says what each one means."""

    port: int
    plugin: str | None
    config_dir: str
    state_dir: str
    deadline: float | None
    grace: float
    idle: float
    max_body: int
    max_metadata: int
    log_level: str
    log_format: str | None
    secrets: str
    store: str | None

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Read all variables; raise one SettingError that names every bad one."""
        settings, problems = cls._read(environ)
        if problems:
            raise SettingError("; ".join(problems))
        return settings

    @classmethod
    def good_from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Read the variables that are good, and take the default in place of each bad one."""
        return cls._read(environ)[0]

    @staticmethod
    def unknown(environ: Mapping[str, str]) -> list[str]:
        """Variables that look like settings and are none, each with what may have been meant.

        Kubernetes sets some for each Service (``MODULE_X_PORT_80_TCP``): those are passed over.
        """
        names = [setting.variable for setting in SETTINGS]
        told = []
        for variable in sorted(environ.keys() - set(names)):
            if variable.startswith("MODULE_") and not _OF_SERVICES.search(variable):
                from difflib import get_close_matches

                close = get_close_matches(variable, names, 1, 0.8)
                cure = (
                    f"did you mean {close[0]}?" if close else "modulehost serve --help lists them"
                )
                told.append(f"{variable} is no setting; {cure}")
        return told

    @classmethod
    def _read(cls, environ: Mapping[str, str]) -> tuple[Settings, list[str]]:
        values: dict[str, object] = {}
        problems = []
        for setting in SETTINGS:
            text = environ.get(setting.variable, "").strip() or setting.default
            try:
                values[setting.field] = setting.convert(text)
            except ValueError:
                problems.append(f"{setting.variable}={text!r}: it takes {setting.takes}")
                values[setting.field] = setting.convert(setting.default)
        return msgspec.convert(values, cls), problems


class Setting(NamedTuple):
    """One environment variable and what it is for."""

    variable: str
    field: str
    default: str
    convert: Callable[[str], object]
    takes: str
    reason: str


def _optional(convert: Callable[[str], T]) -> Callable[[str], T | None]:
    return lambda text: convert(text) if text else None


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise ValueError
    return int(text)


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e9:
        raise ValueError
    return value


def _idle(text: str) -> float:
    return 0.0 if float(text) == 0 else _seconds(text)


def _bytes(text: str) -> int:
    match = re.fullmatch(r"(\d{1,12})\s*(?:(Ki|Mi)B?|B?)", text)
    if not match or not int(match[1]):
        raise ValueError
    return int(match[1]) * {None: 1, "Ki": 1 << 10, "Mi": 1 << 20}[match[2]]


def _keepable(text: str) -> int:
    if (value := _bytes(text)) > MOST_KEPT:
        raise ValueError
    return value


def _secrets(text: str) -> str:
    if text not in ("kubernetes", "env") and not text.startswith("/"):
        raise ValueError
    return text


def _store(text: str) -> str:
    if not re.fullmatch(r"/.*|s3://[a-z0-9][-.a-z0-9]{1,61}[a-z0-9](/.*)?", text):
        raise ValueError
    return text.rstrip("/")


def _word(*words: str) -> Callable[[str], str]:
    def convert(text: str) -> str:
        if text.lower() not in words:
            raise ValueError
        return text.lower()

    return convert


SETTINGS = (
    Setting(
        "PORT",
        "port",
        "8080",
        _port,
        "a port from 1 to 65535",
        "the TCP port; the operator sets it",
    ),
    Setting(
        "MODULE_PLUGIN",
        "plugin",
        "",
        _optional(str),
        "the name of an entry point in the group modulehost.managers",
        "which plugin to serve; unset: the only one that is installed",
    ),
    Setting(
        "MODULE_CONFIG_DIR",
        "config_dir",
        "/forkspacer",
        str,
        "a folder",
        "where config.json and workspace_kubeconfig are; the operator mounts them there",
    ),
    Setting(
        "MODULE_STATE_DIR",
        "state_dir",
        "/tmp/modulehost",  # noqa: S108 - made with mode 0700, its owner is checked
        str,
        "a folder",
        "where the journal is kept: the only place that the host writes to",
    ),
    Setting(
        "MODULE_DEADLINE",
        "deadline",
        "",
        _optional(_seconds),
        "a number of seconds above 0",
        "how long an operation may take; unset: what the plugin says, else 900 s",
    ),
    Setting(
        "MODULE_GRACE",
        "grace",
        "10",
        _seconds,
        "a number of seconds above 0",
        "how long a cancelled operation has to stop by itself before its process is killed",
    ),
    Setting(
        "MODULE_IDLE",
        "idle",
        "120",
        _idle,
        "a number of seconds; 0: never",
        "after how long without a connection the host falls asleep; Go's client keeps idle"
        " connections for 90 s",
    ),
    Setting(
        "MODULE_MAX_BODY",
        "max_body",
        "1MiB",
        _bytes,
        "a number of bytes, or one with KiB or MiB",
        "the largest request body that is read",
    ),
    Setting(
        "MODULE_MAX_METADATA",
        "max_metadata",
        "192KiB",
        _keepable,
        "a number of bytes up to 16 MiB, or one with KiB or MiB",
        "the largest metadata that is accepted from a plugin, counted as the operator stores it:"
        " all annotations of an object share 256 KiB",
    ),
    Setting(
        "MODULE_LOG_LEVEL",
        "log_level",
        "info",
        _word("debug", "info", "warning", "error"),
        "debug, info, warning or error",
        "the least level that is logged",
    ),
    Setting(
        "MODULE_LOG_FORMAT",
        "log_format",
        "",
        _optional(_word("json", "console")),
        "json or console",
        "how log lines look; unset: console on a terminal, else json",
    ),
    Setting(
        "MODULE_SECRETS",
        "secrets",
        "kubernetes",
        _secrets,
        "kubernetes, env, or an absolute path",
        "where ctx.secret reads and keeps secrets: in Secrets, in variables, or in files of a"
        " folder",
    ),
    Setting(
        "MODULE_STORE",
        "store",
        "",
        _optional(_store),
        "an absolute path, or s3://BUCKET/PREFIX",
        "where ctx.store keeps what is too large for the metadata: on a mounted volume, or in a"
        " bucket",
    ),
)
