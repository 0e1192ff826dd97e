"""Who may read the operator's record is found out from the pod's own files."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fake_api import TOKEN, FakeApi
from support.properties import tried

from modulehost.front.cluster_api import Access, CannotAskError, Kept, find_access
from modulehost.shared.kubeconfig import KUBECONFIG

OPERATOR = "forkspacer-controller-manager"
ENVIRON = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}


def jwt(account: str, namespace: str = "forkspacer-system") -> str:
    """A token as Kubernetes makes it, but for its signature."""
    claims = {"iss": "~~~???", "sub": f"system:serviceaccount:{namespace}:{account}"}
    parts = ({"alg": "RS256"}, claims, {"signature": 1})
    texts = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in parts)
    return ".".join(text.rstrip("=") for text in texts)


class Pod:
    """The files of a pod."""

    def __init__(self, folder: Path) -> None:
        self.config, self.account = folder / "config", folder / "account"
        self.config.mkdir()
        self.account.mkdir()

    def find(self, **environ: str) -> Access | None:
        """What is found out."""
        return find_access(str(self.config), {**ENVIRON, **environ}, str(self.account))


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    """One that has nothing mounted."""
    return Pod(tmp_path)


def kubeconfig(server: str = "https://10.96.0.1:443", token: str = TOKEN) -> dict[str, object]:
    """One as the operator writes it."""
    return {
        "clusters": [{"cluster": {"server": server, "certificate-authority": "/ca.crt"}}],
        "users": [{"user": {"token": token}}],
    }


def test_the_account_of_the_operator_may(pod: Pod) -> None:
    """Permission ``controller``: its own token, which is renewed, before that of the kubeconfig."""
    token = jwt(OPERATOR)
    (pod.account / "token").write_text(f"{token}\n")
    (pod.config / KUBECONFIG).write_text(json.dumps(kubeconfig()))
    assert pod.find() == Access("10.96.0.1", 443, token, f"{pod.account}/ca.crt")


@pytest.mark.parametrize("token", [jwt("default"), "opaque", "a.b.c", "a.%.c", "", "a.e30.c"])
def test_any_other_account_asks_nobody(pod: Pod, token: str) -> None:
    """A normal module has the account ``default``, which may read nothing."""
    (pod.account / "token").write_text(token)
    assert pod.find() is None


def test_an_in_cluster_workspace_may(pod: Pod) -> None:
    """Its kubeconfig names the API server of this pod; an address may be of IPv6."""
    (pod.account / "token").write_text(jwt("default"))
    for host, server in (("10.96.0.1", "https://10.96.0.1:443"), ("fd::1", "https://[fd::1]:443")):
        (pod.config / KUBECONFIG).write_text(json.dumps(kubeconfig(server)))
        found = pod.find(KUBERNETES_SERVICE_HOST=host)
        assert found == Access(host, 443, TOKEN, "/ca.crt")


@pytest.mark.parametrize(
    "config",
    [
        kubeconfig("https://10.96.0.1:6443"),
        kubeconfig("http://10.96.0.1:443"),
        kubeconfig("https://example.com"),
        kubeconfig(token="two\nlines"),
        {"clusters": [{"cluster": {"server": "https://10.96.0.1:443"}}], "users": []},
        {**kubeconfig(), "more": kubeconfig()},
    ],
)
def test_any_other_workspace_asks_nobody(pod: Pod, config: dict[str, object]) -> None:
    """Credentials for another cluster, or several, are sent nowhere."""
    (pod.config / KUBECONFIG).write_text(json.dumps(config))
    assert pod.find() is None


@pytest.mark.parametrize("missing", ENVIRON)
def test_outside_of_kubernetes_nobody_is_asked(pod: Pod, missing: str) -> None:
    """There is no API to be asked."""
    (pod.account / "token").write_text(jwt(OPERATOR))
    assert pod.find(**{missing: ""}) is None


@tried
@given(token=st.binary(max_size=80), config=st.binary(max_size=80))
def test_whatever_the_files_hold_it_is_access_or_none(
    tmp_path_factory: pytest.TempPathFactory, token: bytes, config: bytes
) -> None:
    """It never raises, and no token that is no token is sent."""
    pod = Pod(tmp_path_factory.mktemp("pod"))
    (pod.account / "token").write_bytes(token)
    (pod.config / KUBECONFIG).write_bytes(config)
    assert pod.find() is None


def test_modules_are_read_with_the_account_of_the_operator(pod: Pod) -> None:
    """Over TLS that the account's authority vouches for."""
    (pod.account / "token").write_text(jwt(OPERATOR))
    with FakeApi(pod.account) as api:
        api.keep("shops/right", "pod", "service")
        access = pod.find(**api.environ)
        assert access is not None
        assert [*access.kept(5)] == [Kept("shops/right", "pod", "service")]
        api.does = "403"
        with pytest.raises(CannotAskError, match="403 Forbidden"):
            [*access.kept(5)]
