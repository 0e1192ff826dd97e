"""What can go wrong, each with a reason that is one line for the person who must act."""

from __future__ import annotations

MAX_REASON = 1000
"""Longest reason in characters: the operator shows it whole in an event of the Module."""


def one_line(text: str, limit: int = MAX_REASON) -> str:
    """The text on one line, at most ``limit`` characters, without what a terminal would obey."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


class ModuleError(Exception):
    """An expected failure of an operation: ``raise ModuleError("the database refuses us: ...")``.

    Raised by a hook, or where the manager is made. The call is answered 400 with the text as its
    reason; the log gets one line without a traceback.
    """


class Cancelled(Exception):  # noqa: N818 - a state that authors handle, as in asyncio
    """The operation was cancelled: its deadline passed, its client hung up, the host stops.

    Raised by ``Context.wait``, ``Context.run`` and ``Context.raise_if_cancelled``. A hook lets it
    pass, or catches it to tidy up and raises it again.
    """


class HostError(Exception):
    """The base of the host's own errors; its text is the reason given to the client."""

    def __init__(self, reason: str) -> None:
        super().__init__(one_line(reason))


class RequestError(HostError):
    """The request's body cannot be read as metadata."""


class MetadataError(HostError):
    """The metadata that a plugin left behind cannot be kept by the operator."""


class NotCallableError(HostError):
    """The plugin could not be called at all; nothing was done."""


class OperationError(HostError):
    """The operation was run and has failed, which the log has already."""


class SettingError(NotCallableError):
    """A setting of the host is wrong."""


class PluginError(NotCallableError):
    """No plugin, several, or one that does not load or does not keep the API."""


class ConfigError(NotCallableError):
    """The module's config does not fit the plugin's schema."""
