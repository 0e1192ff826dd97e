"""A stand-in for the Forkspacer operator, v0.1.24: it calls, and keeps the metadata, as that does.

    with Operator(port=8080) as operator:
        operator.call("install")
        operator.call("sleep", loses_answer=True)
        assert operator.call("uninstall").succeeded

The operator keeps a module's metadata in one annotation of the Module object, as JSON that Go has
read and written. It sends that text with each call, and replaces it only by what a success
answers, and only when that is not ``{}`` and fits.
"""

from __future__ import annotations

import codecs
import http.client
import json
import math
import re
import select
import socket
import time
from decimal import Decimal
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from modulehost.shared.records import OperationName

ANNOTATION: Final = "forkspacer.com/manager-data"
"""The annotation that holds the metadata."""

MAX_ANNOTATIONS: Final = 262_144
"""Bytes that all annotations of an object may take together, their names included."""

OTHER_ANNOTATIONS: Final = 200
"""Bytes that the operator's own annotations take beside that one."""

IDLE_CONNECTION: Final = 90.0
"""Seconds for which Go keeps an idle connection, to be used again."""

SUCCESS: Final[dict[OperationName, int]] = {
    "install": 201,
    "uninstall": 204,
    "sleep": 200,
    "resume": 200,
}
"""The one status of each operation that is a success."""


class Outcome(NamedTuple):
    """What has come of a call, as the operator sees it."""

    status: int | None
    """The status, None when there was no answer."""

    body: str
    """The body of the answer."""

    succeeded: bool
    """Whether the operator takes it for a success."""

    stored: bool
    """Whether the metadata of the answer has replaced what was stored."""

    event: str
    """What the user of the module reads in its events; empty for a success."""


class Operator:
    """One Module object of a cluster, and the operator that looks after it.

    ``port`` and ``address`` are where the module host listens. ``name`` and ``namespace`` make up
    the Host of the calls, as the Service in the cluster would. ``other_annotations`` is how many
    bytes of annotations there are beside the metadata: kubectl's last-applied copy can be large.
    """

    def __init__(
        self,
        port: int = 8080,
        *,
        address: str = "127.0.0.1",
        name: str = "module",
        namespace: str = "forkspacer-system",
        other_annotations: int = OTHER_ANNOTATIONS,
    ) -> None:
        self.host: Final = f"{name}.{namespace}.svc.cluster.local"
        self.annotation = "{}"
        self.events: list[str] = []
        self._address = address
        self._port = port
        self._other_annotations = other_annotations
        self._connection: http.client.HTTPConnection | None = None
        self._used_at = 0.0
        self._is_idle = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.close()

    @property
    def metadata(self) -> dict[str, Any]:
        """What the operator has stored, and sends with the next call."""
        return read_go_json(self.annotation.encode())

    @property
    def idle(self) -> socket.socket | None:
        """The connection that is kept for the next call, if there is one."""
        return self._connection.sock if self._connection is not None and self._is_idle else None

    def edit(self, metadata: dict[str, Any]) -> None:
        """Somebody edits the annotation by hand."""
        self.annotation = go_json(metadata)

    def call(
        self,
        operation: OperationName,
        *,
        loses_answer: bool = False,
        cannot_store: bool = False,
        hangs_up_after: float | None = None,
    ) -> Outcome:
        """Call the module, and store what it answers.

        ``loses_answer``: the operator ends after the answer has been sent, before it is read.
        ``cannot_store``: the cluster refuses to store the annotation, which the operator takes
        for a success all the same. ``hangs_up_after``: the operator ends so many seconds after it
        has called; the answer is read when it comes sooner.
        """
        connection = self._connect()
        self._is_idle = False
        body = self.annotation.encode()
        headers = {"Host": self.host, "Content-Type": "application/json"}
        try:
            connection.request("POST", f"/{operation}", body, headers)
            if loses_answer or hangs_up_after is not None:
                came = _wait_for_answer(connection, None if loses_answer else hangs_up_after)
                if loses_answer or not came:
                    self.close()
                    return self._failed(None, "", "the operator was restarted")
            response = connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            url = f"http://{self.host}:80/{operation}"
            return self._failed(None, "", f'Post "{url}": {self._go_error(error)}')
        self._used_at = time.monotonic()
        self._is_idle = True
        if response.will_close:
            self.close()
        return self._take(operation, response.status, answer, cannot_store=cannot_store)

    def close(self) -> None:
        """Close the idle connection; the next call makes a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> http.client.HTTPConnection:
        """The idle connection while it is good, else a new one. There is no timeout, as in Go."""
        connection = self._connection
        if connection is not None and connection.sock is not None:
            is_old = time.monotonic() - self._used_at > IDLE_CONNECTION
            # readable while nothing was asked: the host has closed it
            if not is_old and not select.select([connection.sock], (), (), 0)[0]:
                return connection
        self.close()
        self._connection = http.client.HTTPConnection(self._address, self._port)
        return self._connection

    def _go_error(self, error: Exception) -> str:
        """What Go says of a connection that could not be had, or broke."""
        if isinstance(error, http.client.RemoteDisconnected | http.client.IncompleteRead):
            return "EOF"
        words = str(getattr(error, "strerror", None) or error).lower()
        did = "dial tcp" if isinstance(error, ConnectionRefusedError) else "read tcp"
        step = "connect: " if isinstance(error, ConnectionRefusedError) else "read: "
        return f"{did} {self._address}:{self._port}: {step}{words}"

    def _take(
        self, operation: OperationName, status: int, answer: bytes, *, cannot_store: bool
    ) -> Outcome:
        text = answer.decode(errors="replace")
        expected = SUCCESS[operation]
        if status == 400:
            event = f"custom module {operation} endpoint returned error: {text}"
            return self._failed(status, text, event)
        if status != expected:
            event = f"received unexpected status code {status}, expected {expected}/400"
            return self._failed(status, "", event)
        if operation == "uninstall":
            return Outcome(status, text, succeeded=True, stored=False, event="")
        try:
            metadata = read_go_json(answer) if answer else {}
        except ValueError as error:
            return self._failed(status, text, f"failed to unmarshal the metadata: {error}")
        stored = bool(metadata) and not cannot_store and self._fits(go_json(metadata))
        if stored:
            self.annotation = go_json(metadata)
        return Outcome(status, text, succeeded=True, stored=stored, event="")

    def _failed(self, status: int | None, body: str, event: str) -> Outcome:
        self.events.append(event)
        return Outcome(status, body, succeeded=False, stored=False, event=event)

    def _fits(self, annotation: str) -> bool:
        size = len(ANNOTATION) + len(annotation.encode()) + self._other_annotations
        return size <= MAX_ANNOTATIONS


def _wait_for_answer(connection: http.client.HTTPConnection, seconds: float | None) -> bool:
    return bool(select.select([connection.sock], (), (), seconds)[0])


def go_json(metadata: dict[str, Any]) -> str:
    """The metadata as Go's ``json.Marshal`` writes a ``map[string]any``."""
    return _write(metadata)


def read_go_json(text: bytes) -> dict[str, Any]:
    """A JSON object as Go's ``json.Unmarshal`` reads it into a ``map[string]any``.

    All numbers are floats, what is no UTF-8 becomes U+FFFD. Raises ValueError.
    """
    try:
        value = json.loads(
            text.decode("utf-8", "replace-each-byte"),
            parse_int=_float,
            parse_float=_float,
            parse_constant=_no_constant,
        )
    except RecursionError:
        raise ValueError("exceeded max depth") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError("cannot unmarshal it into a value of type map[string]interface {}")
    return {_clean(key): _as_read(item) for key, item in value.items()}


def _replace_each_byte(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)  # noqa: S101 - it is registered for decoding
    return "\ufffd" * (error.end - error.start), error.end


codecs.register_error("replace-each-byte", _replace_each_byte)

_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_ESCAPED: Final = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"cannot unmarshal number {text} into a value of type float64")
    return value


def _no_constant(text: str) -> None:
    raise ValueError(f"invalid character {text[0]!r} looking for beginning of value")


def _clean(text: str) -> str:
    return _LONE_SURROGATE.sub("\ufffd", text)


def _as_read(value: Any) -> Any:
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, dict):
        return {_clean(key): _as_read(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_read(item) for item in value]
    return value


def _write(value: Any) -> str:
    if isinstance(value, dict):
        pairs = (f"{_write(str(key))}:{_write(item)}" for key, item in sorted(value.items()))
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_write, value)) + "]"
    if isinstance(value, str):
        return json.dumps(_clean(value), ensure_ascii=False).translate(_ESCAPED)
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    return _write_number(float(value))


def _write_number(value: float) -> str:
    """The shortest form that reads back the same, as encoding/json chooses it."""
    if not math.isfinite(value):
        raise ValueError(f"unsupported value: {value}")
    if value and not 1e-6 <= abs(value) < 1e21:
        return repr(value).replace("e-0", "e-").replace(".0e", "e")
    text = f"{Decimal(repr(value)):f}"
    return text.removesuffix(".0")
