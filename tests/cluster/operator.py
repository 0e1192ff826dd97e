"""A stand-in for the Forkspacer operator, v0.1.24, on a real Kubernetes API.

It does with Modules and Workspaces what docs/operator.md says of the real one, on real objects:
Secret, pod and Service with generated names, the annotation, phases and events. What it does not
know of are Helm modules, schedules and webhooks. To be run in the cluster's network:

    python -m cluster.operator KUBECONFIG [--stuck-after SECONDS] [--in-cluster URL]
"""

from __future__ import annotations

import argparse
import http.client
import sys
import time
import traceback
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

from cluster.api import Api, ApiError, Document
from cluster.client import Client
from cluster.module_life import Lives
from cluster.runner_pod import Pods
from cluster.workspace import handle_workspace

WORKERS: Final = 10
"""Modules that are handled at a time."""

_ROUND = 0.2  # seconds between two looks, which stand for a watch


class Operator:
    """Looks at all Modules and Workspaces again and again, and hands out what is to be done."""

    def __init__(self, api: Api, lives: Lives, client: Client) -> None:
        self._api = api
        self._lives = lives
        self._client = client
        self._pool = ThreadPoolExecutor(WORKERS)
        self._busy: dict[str, Future[None]] = {}

    def run(self) -> None:
        """Until the process ends."""
        while True:
            try:
                for workspace in self._api.find("workspaces"):
                    handle_workspace(self._api, workspace)
                for module in self._api.find("modules"):
                    self._hand_out(module)
            except (OSError, http.client.HTTPException, ApiError) as error:
                print("a round failed:", repr(error), flush=True)
            self._client.expire()
            time.sleep(_ROUND)

    def _hand_out(self, module: Document) -> None:
        """Let a worker handle it, unless one does."""
        uid = module["metadata"]["uid"]
        if uid not in self._busy or self._busy[uid].done():
            self._busy[uid] = self._pool.submit(self._handle, module)

    def _handle(self, module: Document) -> None:
        name, namespace = module["metadata"]["name"], module["metadata"]["namespace"]
        try:
            # as it is now: it has been changed by the last round, perhaps
            if fresh := self._api.get("modules", namespace, name):
                self._lives.handle(fresh)
        except Exception:  # noqa: BLE001 - the worker lives on
            traceback.print_exc(file=sys.stdout)
            sys.stdout.flush()


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description="A stand-in for the Forkspacer operator.")
    parser.add_argument("kubeconfig", type=Path)
    parser.add_argument("--stuck-after", type=float, default=300, metavar="SECONDS")
    parser.add_argument("--in-cluster", metavar="URL", help="the API server as pods reach it")
    arguments = parser.parse_args()
    api = Api(arguments.kubeconfig)
    client = Client()
    pods = Pods(api, client, arguments.in_cluster or api.server)
    print("ready", flush=True)
    Operator(api, Lives(api, pods, arguments.stuck_after), client).run()


if __name__ == "__main__":
    main()
