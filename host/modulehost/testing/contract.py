"""The contract as data: each rule, where it comes from, and the check that tries it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple

from modulehost.testing import call_checks as calls
from modulehost.testing import kill_check
from modulehost.testing import plugin_checks as plugin
from modulehost.testing import wire_checks as wire

DOCUMENT: Final = "the document Custom Module Development"
OPERATOR: Final = "the operator v0.1.24"
HTTP: Final = "RFC 9110"

Scope = Literal["reads", "changes", "plugin"]
"""Whether a check leaves the module as it is, or calls operations, or needs an installed plugin."""


class Check(NamedTuple):
    """One rule of the contract."""

    id: str
    says: str
    source: str
    scope: Scope
    run: Callable[[Any], None]


CHECKS: Final = (
    Check(
        "loads",
        "The plugin can be loaded and has all hooks",
        "modulehost, the plugin API",
        "plugin",
        plugin.loads,
    ),
    Check(
        "health",
        "GET /health is answered 200, or 503 when the module is not healthy",
        f"{DOCUMENT}, Health Checks",
        "reads",
        wire.health,
    ),
    Check(
        "health-form",
        "Its body is a JSON object with timestamp, uptime, message and healthy",
        f"{DOCUMENT}, Required Endpoints",
        "reads",
        wire.health_form,
    ),
    Check(
        "unknown-path",
        "Paths that are none of the five are answered 404",
        f"{DOCUMENT}, Write HTTP Server Code",
        "reads",
        wire.unknown_path,
    ),
    Check(
        "wrong-method",
        "The wrong method is answered 405, with the right one in Allow",
        f"{DOCUMENT}, Write HTTP Server Code; {HTTP}, 15.5.6",
        "reads",
        wire.wrong_method,
    ),
    Check(
        "keep-alive",
        "A connection serves request after request, or is said to be closed",
        f"{OPERATOR}: Go uses its connections again",
        "reads",
        wire.keep_alive,
    ),
    Check(
        "waiting-connections",
        "Connections that are idle or half-way through a request hold up nobody",
        f"{OPERATOR}: Go keeps idle connections for 90 s",
        "reads",
        wire.waiting_connections,
    ),
    Check(
        "install",
        "POST /install is answered 201",
        f"{DOCUMENT}, Required Endpoints",
        "changes",
        calls.install,
    ),
    Check(
        "sleep",
        "POST /sleep is answered 200",
        f"{DOCUMENT}, Required Endpoints",
        "changes",
        calls.sleep,
    ),
    Check(
        "resume",
        "POST /resume is answered 200",
        f"{DOCUMENT}, Required Endpoints",
        "changes",
        calls.resume,
    ),
    Check(
        "uninstall",
        "POST /uninstall is answered 204",
        f"{DOCUMENT}, Required Endpoints",
        "changes",
        calls.uninstall,
    ),
    Check(
        "uninstall-body",
        "The answer to uninstall has no body",
        f"{DOCUMENT}, Create HTTP Handler; {HTTP}, 15.3.5",
        "changes",
        calls.uninstall_body,
    ),
    Check(
        "install-echo",
        "The answer to install is the metadata: what was sent, and what install added",
        f"{DOCUMENT}, Working with Metadata",
        "changes",
        calls.install_echo,
    ),
    Check(
        "sleep-echo",
        "The answer to sleep is the metadata",
        f"{DOCUMENT}, Working with Metadata",
        "changes",
        calls.sleep_echo,
    ),
    Check(
        "resume-echo",
        "The answer to resume is the metadata",
        f"{DOCUMENT}, Working with Metadata",
        "changes",
        calls.resume_echo,
    ),
    Check(
        "json-type",
        "Metadata is answered as application/json",
        f"{DOCUMENT}, Create HTTP Handler",
        "changes",
        calls.json_type,
    ),
    Check(
        "values",
        "Any JSON in the metadata comes back as it was: texts, numbers, nesting",
        f"{OPERATOR}: metadata is what Go's encoding/json reads",
        "changes",
        calls.values,
    ),
    Check(
        "large-body",
        "Metadata of 150 kB is taken and given back",
        f"{OPERATOR}: annotations may take 256 KiB",
        "changes",
        calls.large,
    ),
    Check(
        "empty-body",
        "An empty body is {}",
        f"{DOCUMENT}, Create HTTP Handler",
        "changes",
        calls.empty_body,
    ),
    Check(
        "null-body",
        "The body null is {}, and is not answered null",
        f"{OPERATOR}: the body of a success must be empty or a JSON object",
        "changes",
        calls.null_body,
    ),
    Check(
        "content-type",
        "The Content-Type of a request is not looked at",
        f"{DOCUMENT}, Create HTTP Handler",
        "changes",
        calls.content_type,
    ),
    Check(
        "chunked-body",
        "A chunked body is taken like any other",
        f"{DOCUMENT}, Create HTTP Handler; {HTTP}, RFC 9112, 7.1",
        "changes",
        calls.chunked,
    ),
    Check(
        "pieces",
        "A request that comes in pieces is taken like any other",
        "RFC 9293: TCP keeps bytes, not messages",
        "changes",
        calls.pieces,
    ),
    Check(
        "not-json",
        "A body that is no JSON is answered 400",
        f"{DOCUMENT}, Create HTTP Handler",
        "changes",
        calls.not_json,
    ),
    Check(
        "not-an-object",
        "JSON that is no object is answered 400",
        f"{DOCUMENT}, Create HTTP Handler",
        "changes",
        calls.not_an_object,
    ),
    Check(
        "number-out-of-range",
        "A number that no float64 holds is answered 400",
        f"{DOCUMENT}, Create HTTP Handler: Go does not read it",
        "changes",
        calls.number_out_of_range,
    ),
    Check(
        "unfinished-body",
        "A body shorter than announced is not taken for a whole one",
        f"{DOCUMENT}, Create HTTP Handler; {HTTP}, RFC 9112, 8",
        "changes",
        calls.unfinished_body,
    ),
    Check(
        "error-form",
        "The body of a 400 is one line of text, the reason",
        f"{OPERATOR}: it is shown in the Module's events",
        "changes",
        calls.error_form,
    ),
    Check(
        "health-awake",
        "An installed module is healthy",
        f"{DOCUMENT}, Health Checks",
        "plugin",
        plugin.health_awake,
    ),
    Check(
        "install-twice",
        "A second install changes nothing",
        f"{DOCUMENT}, Idempotency",
        "plugin",
        plugin.install_twice,
    ),
    Check(
        "sleep-twice",
        "A second sleep changes nothing",
        f"{DOCUMENT}, Idempotency",
        "plugin",
        plugin.sleep_twice,
    ),
    Check(
        "resume-twice",
        "A second resume changes nothing",
        f"{DOCUMENT}, Idempotency",
        "plugin",
        plugin.resume_twice,
    ),
    Check(
        "uninstall-twice",
        "A second uninstall finds nothing to do",
        f"{DOCUMENT}, Idempotency",
        "plugin",
        plugin.uninstall_twice,
    ),
    Check(
        "sleep-resume",
        "What sleep puts away resume restores",
        f"{DOCUMENT}, Implement Business Logic",
        "plugin",
        plugin.sleep_resume,
    ),
    Check(
        "uninstall-fresh",
        "Uninstall of nothing on a fresh host succeeds",
        f"{OPERATOR}: an install can fail before there is a pod",
        "plugin",
        plugin.uninstall_fresh,
    ),
    Check(
        "uninstall-asleep",
        "A module can be uninstalled while it is asleep",
        f"{OPERATOR}: a Module can be deleted while it is sleeped",
        "plugin",
        plugin.uninstall_asleep,
    ),
    Check(
        "uninstall-cut",
        "Uninstall cleans up after an install that was cancelled half-way",
        f"{OPERATOR}: a failed install is only ever uninstalled",
        "plugin",
        plugin.cut_install,
    ),
    Check(
        "killed",
        "Uninstall cleans up after an operation that was killed at any note",
        f"{OPERATOR}: a failed install is only ever uninstalled",
        "plugin",
        kill_check.killed,
    ),
    Check(
        "cancellation",
        "A cancelled install ends within the grace",
        f"{DOCUMENT}, Context Awareness",
        "plugin",
        plugin.cancellation,
    ),
    Check(
        "deadline",
        "An install that meets its deadline stops by itself",
        f"{DOCUMENT}, Context Awareness",
        "plugin",
        plugin.deadline,
    ),
    Check(
        "metadata",
        "What the hooks leave in the metadata survives the operator",
        f"{OPERATOR}: it keeps what Go reads, and nothing empty",
        "plugin",
        plugin.metadata,
    ),
    Check(
        "output",
        "What the plugin prints gets into no answer, and its process lasts",
        f"{OPERATOR}: the body of a success is metadata and nothing else",
        "plugin",
        plugin.output,
    ),
    Check(
        "config-defaults",
        "The module lives with the required config alone",
        f"{OPERATOR}: the schema's defaults are not filled in",
        "plugin",
        plugin.config_defaults,
    ),
    # the last: while all others ran, its connection was idle
    Check(
        "idle-connection",
        "An idle connection is kept open",
        f"{OPERATOR}: Go keeps idle connections for 90 s",
        "reads",
        wire.idle_connection,
    ),
)


def unknown(*ids: str) -> None:
    """Raise ValueError, with what there is, when one of them is no check's."""
    known = [check.id for check in CHECKS]
    if strange := [name for name in ids if name not in known]:
        raise ValueError(f"no such check: {', '.join(strange)}; there are {', '.join(known)}")
