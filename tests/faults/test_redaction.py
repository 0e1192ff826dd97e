"""No stream of the host shows a secret, whoever writes it, in whichever form."""

from __future__ import annotations

import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.host import Host, running
from support.site import PLUGINS

FORMS: dict[str, Callable[[str], str]] = runpy.run_path(str(PLUGINS / "tells_secrets.py"))["FORMS"]
SECRETS = {
    "a word": "planted7hunter2",
    "all kinds of characters": "plänted \"q\" \\b\\ 's' &/+?=% 100",
    "several lines": "planted-begin\nline-of-some-length\nxy\nplanted-end",
}
WAYS = [
    "print", "stderr", "write", "write in pieces", "a long line", "child", "run", "run and fail",
    "log", "config", "logging", "thread", "progress", "raise", "key", "metadata", "metadata key",
    "crash",
]  # fmt: skip


@pytest.fixture(scope="module", params=SECRETS)
def told(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Host, str]]:
    """A host with such a secret, and the secret."""
    secret = SECRETS[request.param]
    config = {"password": secret, "token": f"token-{secret}"}
    folder = tmp_path_factory.mktemp("told")
    with running(folder, "tells_secrets", config=config, MODULE_LOG_LEVEL="debug") as host:
        yield host, secret


def assert_hidden(host: Host, secret: str, *answers: str) -> None:
    """In no form is it in the log or in an answer."""
    log = (host.folder / "log").read_text()
    for text in (log, *answers):
        for name, form in FORMS.items():
            for line in form(secret).strip("'\"[]").splitlines():
                assert len(line) < 8 or line not in text, name


@pytest.mark.parametrize("how", WAYS)
def test_however_it_is_told(told: tuple[Host, str], how: str) -> None:
    """The answer, the health and the log have stars."""
    host, secret = told
    reply = host.call("install", {"do": how})
    assert_hidden(host, secret, reply.text, host.health().text)
    assert how not in ("print", "run", "log", "logging") or reply.status == 201, reply.text


@pytest.mark.parametrize("form", FORMS)
def test_in_whichever_form(told: tuple[Host, str], form: str) -> None:
    """Printed, and as the words of a failure."""
    host, secret = told
    for how in ("print", "run", "raise"):
        assert_hidden(host, secret, host.call("install", {"do": how, "form": form}).text)
    host.wait_for("told ***") if form == "plain" else None


def test_what_the_configs_own_check_says(tmp_path: Path) -> None:
    """It runs before there is a config, and knows the values."""
    secret = SECRETS["several lines"]
    config = {"password": secret, "token": f"token-{secret}", "refuses": True}
    with running(tmp_path, "tells_secrets", config=config) as host:
        reply = host.call("install", {"do": "print"})
        assert (reply.status, reply.text) == (400, "config: *** and *** do not fit\n")
        host.wait_for("checking ***")
        assert_hidden(host, secret, reply.text)


def test_what_a_hook_learns_later(tmp_path: Path) -> None:
    """From ``ctx.redact`` on, also in the processes that come after this one's."""
    config: dict[str, Any] = {"password": "planted7hunter2"}
    with running(tmp_path, "tells_secrets", config=config) as host:
        host.wait_for("plugin loaded")
        reply = host.call("install", {"do": "later", "made": "made-up-at-night"})
        assert (reply.status, reply.text) == (400, "told ***\n")
        host.wait_for("plugin loaded", 2)
        host.call("install", {"do": "made-up-at-night", "form": "made-up-at-night"})
        host.wait_for("install raised")
        log = (host.folder / "log").read_text()
    assert log.count("told ***") >= 2
    assert "made-up-at-night" not in log


def test_a_secret_is_refused_in_the_metadata(told: tuple[Host, str]) -> None:
    """By name and place, and its value is not told."""
    host, _ = told
    reply = host.call("install", {"do": "metadata"})
    assert reply.status == 400
    assert 'metadata["password"] is of type Secret' in reply.text


def test_a_short_secret_is_warned_of(tmp_path: Path) -> None:
    """It would blot every other line; the item is named once."""
    config = {"password": "planted7hunter2", "token": "abc"}
    with running(tmp_path, "tells_secrets", config=config) as host:
        for _ in range(2):
            assert host.call("install", {"do": "print"}).status == 201
        assert host.wait_for("a secret is too short to be redacted")["item"] == "token"
        assert len(host.events("a secret is too short to be redacted")) == 1
