"""Is answered 401 by the cluster, and fails in one of many ways; the metadata says how."""

import json
import os
import ssl
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import beast

from modulehost import Context, ModuleError

SAYS = "echo 'error: You must be logged in to the server (Unauthorized)' >&2; echo bye >&2; exit 1"


class Manager(beast.Manager):
    """Does as it is told."""

    def misbehave(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        match metadata["do"]:
            case "raise":
                ask()
            case "raise another":
                try:
                    ask()
                except OSError as error:
                    raise ModuleError("it does not work") from error
            case "raise a group":
                try:
                    ask()
                except OSError as error:
                    raise ExceptionGroup("several", [KeyError("a"), error]) from None
            case "run":
                ctx.run(["sh", "-c", SAYS])
            case "run, unchecked, unlogged":
                ctx.run(["sh", "-c", SAYS], check=False, log=False)
                raise ModuleError("it does not work")
            case "run it itself":
                subprocess.run(["sh", "-c", SAYS], check=True)
            case "print and die":
                subprocess.run(["sh", "-c", SAYS])
                os._exit(1)
            case "print and wait":
                subprocess.run(["sh", "-c", SAYS])
                ctx.wait(60)
            case "print and succeed":
                subprocess.run(["sh", "-c", SAYS])
            case "fail otherwise":
                raise ModuleError("the database refuses us")


def ask() -> None:
    """Ask the API with the kubeconfig's token."""
    about = json.loads(Path(os.environ["TEST_FOLDER"], "api.json").read_text())
    tls = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=about["ca"]))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), tls)
    with opener.open(f"https://127.0.0.1:{about['port']}/api/v1/namespaces", timeout=10):
        pass
