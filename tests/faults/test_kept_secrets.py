"""``ctx.secret``: read and made in a folder, in variables and in Kubernetes; shown nowhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import fake_secrets_api
from support.fake_secrets_api import FakeApi
from support.host import Host, StartHost

PATH = "/api/v1/namespaces/shop/secrets/shop-db"
MADE = {"modulehost": {"created": [{"kind": "secret", "name": "shop-db", "confirmed": True}]}}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[tuple[FakeApi, dict[str, Any]]]:
    """A fake API server, and its kubeconfig."""
    with fake_secrets_api.serving(tmp_path) as served:
        yield served


def password(host: Host) -> str:
    """What the plugin has made."""
    return (host.folder / "password").read_text()


def shown(host: Host) -> str:
    """The whole log."""
    return json.dumps(host.events())


def mount(host: Host, kubeconfig: dict[str, Any], *, is_yaml: bool = False) -> None:
    """Do what the operator does."""
    text = yaml.safe_dump(kubeconfig) if is_yaml else json.dumps(kubeconfig)
    (host.config / "workspace_kubeconfig").write_text(text)


def test_a_password_is_made_once_and_kept_in_a_folder(
    start_host: StartHost, tmp_path: Path
) -> None:
    """A second install finds it; neither log nor metadata shows it; uninstall removes it."""
    folder = tmp_path / "secrets"
    host = start_host("has_a_password", MODULE_SECRETS=folder)
    metadata = host.call("install", {}).json
    first = password(host)
    assert metadata == MADE
    assert (folder / "shop-db/password").read_text() == first
    assert (folder / "shop-db/password").stat().st_mode & 0o777 == 0o600
    assert host.call("install", metadata).json == MADE
    assert password(host) == first
    reply = host.call("sleep", metadata)
    assert reply.text.startswith('sleep left metadata["password"] is of type Secret')
    assert first not in shown(host)
    assert "the password is ***" in shown(host)
    assert host.call("uninstall", metadata).status == 204
    assert list(folder.iterdir()) == []


def test_what_a_module_has_not_made_it_does_not_remove(
    start_host: StartHost, tmp_path: Path
) -> None:
    """A secret that was there before stays."""
    (tmp_path / "secrets/shop-db").mkdir(parents=True)
    (tmp_path / "secrets/shop-db/password").write_text("was-there-before\n")
    host = start_host("has_a_password", MODULE_SECRETS=tmp_path / "secrets")
    metadata = host.call("install", {}).json
    assert (metadata, password(host)) == ({}, "was-there-before")
    assert host.call("uninstall", metadata).status == 204
    assert (tmp_path / "secrets/shop-db/password").exists()


def test_variables_are_read_and_cannot_be_made(start_host: StartHost) -> None:
    """The name of the variable is in the reason."""
    host = start_host("has_a_password", MODULE_SECRETS="env", SHOP_DB_PASSWORD="from-outside")
    assert host.call("install", {}).json == {}
    assert password(host) == "from-outside"
    other = start_host("has_a_password", MODULE_SECRETS="env")
    assert other.call("install", {}).text.startswith("SHOP_DB_PASSWORD is not set")


@pytest.mark.parametrize("is_yaml", [False, True])
def test_a_password_is_kept_in_a_secret_of_the_workspace(
    start_host: StartHost, api: tuple[FakeApi, dict[str, Any]], is_yaml: bool
) -> None:
    """In the namespace of the kubeconfig, which is YAML or JSON, with our label."""
    server, kubeconfig = api
    host = start_host("has_a_password")
    mount(host, kubeconfig, is_yaml=is_yaml)
    reply = host.call("install", {})
    assert reply.json == MADE, reply.text
    assert (
        server.secrets[PATH]["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "modulehost"
    )
    assert host.call("install", reply.json).json == MADE
    assert sum(asked.startswith("POST") for asked in server.asked) == 1
    assert password(host) not in shown(host)
    assert fake_secrets_api.TOKEN not in shown(host)
    assert host.call("uninstall", reply.json).status == 204
    assert server.secrets == {}


def test_a_secret_of_another_namespace_is_asked_for_there(
    start_host: StartHost, api: tuple[FakeApi, dict[str, Any]]
) -> None:
    """One that is not there is named, with its key."""
    server, kubeconfig = api
    host = start_host("has_a_password")
    mount(host, kubeconfig)
    reply = host.call("resume", {})
    assert reply.text == "there is no secret elsewhere/other with the key token; make it\n"
    assert server.asked == ["GET /api/v1/namespaces/elsewhere/secrets/other"]


def test_a_secret_of_somebody_else_is_neither_changed_nor_removed(
    start_host: StartHost, api: tuple[FakeApi, dict[str, Any]]
) -> None:
    """It lacks the key, and has not our label."""
    server, kubeconfig = api
    server.keep(PATH, {"metadata": {"name": "shop-db"}, "stringData": {"other": "x"}})
    host = start_host("has_a_password")
    mount(host, kubeconfig)
    reply = host.call("install", {})
    assert reply.text.startswith("the Secret shop-db has no password, and no module has made it")
    assert host.call("uninstall", {}).status == 204
    assert PATH in server.secrets


FORBIDDEN = b'{"message": "secrets \\"shop-db\\" is forbidden: User \\"u\\" cannot get it"}'


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        ((401, b'{"message": "Unauthorized"}'), "answers 401 Unauthorized: "),
        ((403, FORBIDDEN), 'refuses: secrets "shop-db" is forbidden: User "u" cannot get it'),
        ((500, b"<html>"), "answers 500, and no JSON"),
        ((503, b"{}"), "refuses: it answers 503"),
    ],
)
def test_what_the_api_server_refuses_is_told_with_its_address(
    start_host: StartHost,
    api: tuple[FakeApi, dict[str, Any]],
    refusal: tuple[int, bytes],
    words: str,
) -> None:
    """And its own words, where it has some."""
    server, kubeconfig = api
    server.refusal = refusal
    host = start_host("has_a_password")
    mount(host, kubeconfig)
    reply = host.call("install", {})
    assert reply.text == f"the API server at 127.0.0.1:{server.server_port} {words}\n" or (
        reply.text.startswith(f"the API server at 127.0.0.1:{server.server_port} {words}")
    )
    assert host.call("uninstall", {}).status == 204  # nothing was made


def test_an_api_server_that_is_not_there_or_is_another_is_told(
    start_host: StartHost, api: tuple[FakeApi, dict[str, Any]], tmp_path: Path
) -> None:
    """Nobody listens; the certificate is not the kubeconfig's."""
    _, kubeconfig = api
    host = start_host("has_a_password")
    other = tmp_path / "other"
    other.mkdir()
    with fake_secrets_api.serving(other) as (_, stranger):
        stranger["clusters"][0]["cluster"]["server"] = kubeconfig["clusters"][0]["cluster"][
            "server"
        ]
        mount(host, stranger)
        assert "cannot be reached: [SSL: CERTIFICATE_VERIFY_FAILED]" in host.call("install").text
    kubeconfig["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    mount(host, kubeconfig)
    assert host.call("install", {}).text == (
        "the API server at 127.0.0.1:1 cannot be reached: Connection refused\n"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{}", "is no kubeconfig that can be used: KeyError: 'contexts'"),
        ("a: [", "is no kubeconfig that can be used: ValueError: it is no YAML"),
        (None, "there is no Kubernetes: no kubeconfig, and this is no pod"),
    ],
)
def test_a_kubeconfig_that_is_of_no_use_is_told(
    start_host: StartHost, text: str | None, words: str
) -> None:
    """Its path and what is wrong."""
    host = start_host("has_a_password")
    if text is not None:
        (host.config / "workspace_kubeconfig").write_text(text)
    assert words in host.call("install", {}).text
