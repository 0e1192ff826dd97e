"""Secrets through ``ctx.secret``'s client, on a real API server."""

from __future__ import annotations

import json
import subprocess
import sys

from cluster.levels import Level

LIFE = """
import json, sys
from modulehost.plugin.kubeconfig import access
from modulehost.plugin.secret_sources import Kubernetes
from modulehost.shared.errors import ModuleError

to = access(sys.argv[1])
api = Kubernetes(to, 10)
told = [api.read("default/shop-db", "password")]
api.write("default/shop-db", "password", "one-two-three")
api.write("default/shop-db", "user", "shop")
told += [api.read("default/shop-db", "password"), api.read("default/shop-db", "user")]
for refused in (
    lambda: api.write("default/foreign", "password", "x"),
    lambda: api.write("nowhere/shop-db", "password", "x"),
    lambda: Kubernetes(to._replace(headers={"Authorization": "Bearer gone"}), 10).read("a", "b"),
    lambda: Kubernetes(to._replace(headers={}), 10).read("default/shop-db", "password"),
):
    try:
        refused()
    except ModuleError as error:
        told.append(str(error))
api.remove("default/foreign")
api.remove("default/shop-db")
api.remove("default/shop-db")
told += [api.read("default/shop-db", "password"), api.read("default/foreign", "other")]
print(json.dumps(told))
"""


def test_a_secret_is_made_read_changed_and_removed(level: Level) -> None:
    """One key after the other; a foreign one stays; each refusal is in words."""
    cluster = level.cluster
    made = ("create", "secret", "generic", "foreign", "--from-literal=other=here")
    cluster.kubectl(*made, "--namespace=default")
    try:
        argv = [*cluster.network.inside, sys.executable, "-c", LIFE]
        done = subprocess.run(
            [*argv, str(cluster.run / "kubeconfig")], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        before, password, user, foreign, nowhere, gone, nobody, after, other = json.loads(
            done.stdout
        )
    finally:
        cluster.kubectl("delete", "secret", "foreign", "--namespace=default")
    assert (before, password, user) == (None, "one-two-three", "shop")
    assert foreign.startswith("the Secret default/foreign has no password, and no module has made")
    assert 'refuses: namespaces "nowhere" not found' in nowhere
    assert "answers 401 Unauthorized" in gone
    assert "refuses: secrets" in nobody or "401" in nobody
    assert (after, other) == (None, "here")
