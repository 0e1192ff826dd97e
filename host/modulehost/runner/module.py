"""The module that a runner serves: its plugin, its config with the secrets in it, and its log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from modulehost.plugin import config, discovery
from modulehost.runner.secrets import Secrets
from modulehost.shared.describe import what_it_says
from modulehost.shared.errors import one_line
from modulehost.shared.kubeconfig import kubeconfig
from modulehost.shared.late import put_off_imports
from modulehost.shared.logs import Log
from modulehost.shared.redaction import is_too_short
from modulehost.shared.settings import Settings

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


class Module:
    """What the threads of a runner share. ``plugin`` is there once it is loaded."""

    def __init__(self, settings: Settings, log_fd: int, secrets: Secrets) -> None:
        self.settings = settings
        self.redactor = secrets.redactor
        self.log = Log(log_fd, settings.log_level, settings.log_format, self.redactor.text)
        self.plugin: discovery.Plugin
        self._secrets = secrets
        self._config: Any = None
        self._warned: set[str] = set()

    def load(self) -> None:
        """Find the plugin and load it; raises PluginError."""
        chosen = discovery.select(discovery.find(), self.settings.plugin)
        put_off_imports(False)  # what a plugin lacks is told now
        self.plugin = discovery.load(chosen)
        if discovery.mentions(self.plugin.found, b".log"):
            self.log.structlog  # noqa: B018 - imported now, and not in the midst of an operation

    def read_config(self, body: Mapping[str, Any]) -> Any:
        """The config: the mounted file alone where there is one, else what the body has of it."""
        values = config.read_file(self.settings.config_dir)
        schema = self.plugin.schema
        if schema is None:
            return dict(body) if values is None else values
        given = schema.pick(dict(body)) if values is None else values
        for alias, secrets in schema.secrets(given).items():
            self.redact(secrets, alias)
        converted, unknown = schema.convert(given, self.redactor.text)
        self._config = converted
        if unknown:
            self.log.event("warning", "config has keys that the plugin does not know", keys=unknown)
        return converted

    def health_config(self) -> Any:
        """The config of the last operation, or the mounted one; None where there is neither."""
        if self._config is None and config.read_file(self.settings.config_dir) is not None:
            return self.read_config({})
        return self._config

    def kubeconfig(self) -> str | None:
        """The path of the workspace's kubeconfig, where there is one."""
        return kubeconfig(self.settings.config_dir)

    def about(self, operation: str, request_id: str) -> dict[str, str]:
        """What each line about a call says of it."""
        name = self.plugin.found.name
        return {"operation": operation, "plugin": name, "request_id": request_id}

    def logger(self, operation: str, request_id: str) -> FilteringBoundLogger:
        """A logger for a hook, which puts that into every line."""
        bound: FilteringBoundLogger = self.log.structlog.bind(**self.about(operation, request_id))
        return bound

    def reason_of(self, error: BaseException) -> str:
        """What an exception of the plugin says, on one line, without secrets."""
        return one_line(self.redactor.text(what_it_says(error)))

    def redact(self, secrets: Iterable[str], item: str = "") -> None:
        """Have nothing show them from now on; warns, once, of what is too short for that."""
        secrets = list(secrets)
        if any(map(is_too_short, secrets)) and item not in self._warned:
            self._warned.add(item)
            about = {"item": item} if item else {}
            self.log.event("warning", "a secret is too short to be redacted", **about)
        self._secrets.learn(secrets)
