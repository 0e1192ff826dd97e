"""A token that the API server does not take any more, as after the operator's pod was replaced."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest
from cluster.steps import Apply, Reaches, Tells
from cluster.world import NAMESPACE, World

WORKSPACE = "refused"


@pytest.fixture
def refused(world: World) -> Iterator[World]:
    """A world with a workspace whose kubeconfig has such a token."""
    secret = world.api.get("secrets", NAMESPACE, "dev")
    assert secret
    config = json.loads(base64.b64decode(secret["data"]["kubeconfig"]))
    config["users"][0]["user"]["token"] = "of-somebody-who-is-gone"
    data = {"kubeconfig": base64.b64encode(json.dumps(config).encode()).decode()}
    world.api.create("secrets", NAMESPACE, {"metadata": {"name": WORKSPACE}, "data": data})
    reference = {"name": WORKSPACE, "namespace": NAMESPACE, "key": "kubeconfig"}
    world.make_workspace(WORKSPACE, type="kubeconfig", secretReference=reference)
    yield world
    world.api.delete("secrets", NAMESPACE, WORKSPACE)


def test_the_log_has_the_cures_and_the_event_the_plugin_s_reason(refused: World) -> None:
    """One line; what the client gets is not changed."""
    Apply(workspace=WORKSPACE).play(refused)
    Reaches("failed").play(refused)
    Tells("InstallError", "HTTPError: HTTP Error 401: Unauthorized").play(refused)
    log = refused.level.log(refused.pod("shop")).splitlines()
    lines = [json.loads(line) for line in log if "the cluster refuses the credentials" in line]
    assert [line["operation"] for line in lines] == ["install"]
    assert "a fresh pod" in lines[0]["hint"]
