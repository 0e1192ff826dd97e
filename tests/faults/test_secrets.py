"""What is secret stays where it belongs, whatever goes wrong. Only keys may be told."""

from __future__ import annotations

import json
import os
import secrets
import signal
import stat
from pathlib import Path

import pytest
from support.faults import calling
from support.host import Host, StartHost
from support.processes import command, tree
from support.wire import Wire, chunk, chunked, head, post

from modulehost.shared.kubeconfig import KUBECONFIG

pytestmark = pytest.mark.slow


class Planted:
    """A host that knows a marker made for this test, and what it has told to its clients."""

    def __init__(self, start_host: StartHost) -> None:
        self.marker = f"planted-{secrets.token_hex(8)}"
        self.host = start_host(
            "keeps_secrets",
            config={"token": self.marker, "password": self.marker},
            PLANTED=self.marker,
            MODULE_LOG_LEVEL="debug",
            MODULE_DEADLINE=1,
            MODULE_GRACE=0.5,
            MODULE_MAX_METADATA=100_000,
        )
        self.kubeconfig = self.host.config / KUBECONFIG
        self.kubeconfig.write_text(json.dumps({"users": [{"token": self.marker}]}))
        self.host.wait_for("plugin loaded")
        self.errors: list[str] = []

    def call(self, operation: str, how: str) -> int:
        """Call with the marker in the metadata; the status."""
        reply = self.host.call(operation, {"planted": self.marker, "do": how})
        if reply.status >= 300:
            self.errors.append(f"{reply.headers}{reply.text}")
        return reply.status

    def files(self) -> set[Path]:
        """The files under the host's folder that hold the marker, but for those it was put in."""
        found = {
            path
            for path in self.host.folder.rglob("*")
            if path.is_file() and self.marker.encode() in path.read_bytes().lower()
        }
        return found - {self.kubeconfig, self.host.config / "config.json"}

    def assert_kept(self) -> None:
        """The marker is in no error, no command line, no file but the journal, which is ours."""
        log = (self.host.folder / "log").read_text()
        assert self.marker not in log.lower()
        assert self.marker not in "\n".join(self.errors).lower()
        assert self.marker not in self.host.health().text
        for pid in tree(self.host.keeper):
            assert self.marker not in command(pid)
        journal = {path for path in self.host.state.iterdir() if path.name.startswith("journal")}
        assert self.files() <= journal
        for path in self.host.state.rglob("*"):
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


@pytest.fixture
def planted(start_host: StartHost) -> Planted:
    """A host that knows a marker."""
    return Planted(start_host)


FAILURES = {
    "fail": "the database refuses us",
    "raise": "it has no number",
    "raise with the token": "cannot log in with ***",
    "exit": "died during",
    "segfault": "SIGSEGV",
    "overrun": "did not finish within 1 s",
    "leave NaN": "NaN",
    "leave bytes": "bytes",
    "leave too much": "MODULE_MAX_METADATA",
    "run": "exit",
    "run with secrets": "***",
}


def test_through_success(planted: Planted) -> None:
    """A whole life; while there is metadata it is in the journal alone."""
    for operation in ("install", "sleep", "resume"):
        assert planted.call(operation, "succeed") < 300
        planted.assert_kept()
    assert planted.files(), "the journal should have it"
    assert planted.call("uninstall", "succeed") == 204
    planted.assert_kept()


@pytest.mark.parametrize("how", FAILURES)
def test_through_each_failure(planted: Planted, how: str) -> None:
    """Exceptions with their tracebacks, deaths, deadlines, metadata that cannot be kept."""
    assert planted.call("install", how) == 400
    assert FAILURES[how] in planted.errors[0]
    planted.assert_kept()
    assert planted.call("uninstall", "succeed") in (204, 400)
    planted.assert_kept()


def bad_requests(marker: str) -> list[bytes]:
    """Requests that hold the marker and are refused, each for another reason."""
    value = marker.encode()
    return [
        post("/install", b'{"planted": "%b"' % value),
        post("/install", b'{"planted": %b}' % value),
        post("/install", b'{"planted": "%b\xff"}' % value),
        post("/install", b'{"%b": NaN}' % value),
        post("/install", b'{"%b": 1e999}' % value),
        post("/install", b'{"planted": "%b", "planted": ' % value + b"[" * 5000),
        post("/install", b'["%b"]' % value),
        post("/install", b'"%b"' % value),
        post("/install", value * 100_000),
        post("/install", b'{"planted": "%b"}' % value, length=1000),
        post("/install", b'{}{"planted": "%b"}\r\n\r\n' % value, length=2),
        chunked("/install", b"%b\r\n" % value),
        chunked("/install", chunk(value), end=b"0\r\n%b\r\n\r\n" % value),
        post("/install", b"{}", f"Authorization: Bearer {marker}", "Bad Header: 1"),
        post("/install", b"[]", f"Authorization: Bearer {marker}", f"Cookie: {marker}"),
        head("POST", "/install", f"Content-Length: {marker}"),
        head("POST", "/install", f"{marker} : 1"),
        b"%b\r\n\r\n" % value,
    ]


def test_through_bad_requests(planted: Planted) -> None:
    """Whatever is wrong with a request, nothing that it holds is told."""
    for data in bad_requests(planted.marker):
        with Wire(planted.host, data) as wire:
            wire.end()
            while (reply := wire.reply()) is not None:
                if reply.status >= 300:
                    planted.errors.append(f"{reply.headers}{reply.text}")
    assert len(planted.errors) > 12
    planted.assert_kept()
    assert not planted.files()


@pytest.mark.parametrize(
    "config",
    [
        '{"token": "%", "password": "% %"}',
        '{"token": ["%"]}',
        '{"password": {"%": "%"}}',
        '{"token": "%", "password": "%"',
        '["%"]',
        '{"%": NaN}',
    ],
)
def test_through_a_bad_config(planted: Planted, config: str) -> None:
    """Every problem is told by alias, and none by value."""
    path = planted.host.config / "config.json"
    path.write_text(
        config.replace("%", planted.marker.upper() if " " in config else planted.marker)
    )
    assert planted.call("install", "succeed") == 400
    planted.assert_kept()


def test_through_the_end_of_any_process(planted: Planted) -> None:
    """The front is killed in an operation: what the next one finds is in the journal alone."""
    host: Host = planted.host
    future = calling(host, "install", {"planted": planted.marker, "do": "overrun"})
    host.wait_for("working")
    os.kill(host.front, signal.SIGKILL)
    assert future.exception() is not None
    host.wait_for("plugin loaded", 2)
    planted.assert_kept()
    assert planted.call("uninstall", "succeed") == 204
    planted.assert_kept()
