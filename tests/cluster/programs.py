"""The programs of the cluster, built with Go from their own modules: once, into a cache.

Every version is pinned: those here, and what follows from them by the modules' own requirements.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

KUBERNETES: Final = "1.34.4"
COREDNS: Final = "1.12.4"

PLANE: Final = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
"""What a control plane takes."""

NODE: Final = ("kubelet", "kube-proxy", "dns", "pause")
"""What a real node takes beside it."""

_STAGED = f"v0.{KUBERNETES.removeprefix('1.')}"  # the release of k8s.io/api and its like
_FLAGS = "-s -w " + " ".join(
    # without a version kubectl refuses to tell one, and the API server calls itself v0.0.0
    f"-X {package}.{name}={value}"
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    for name, value in {
        "gitVersion": f"v{KUBERNETES}",
        "gitMajor": KUBERNETES.split(".")[0],
        "gitMinor": KUBERNETES.split(".")[1],
        "gitTreeState": "clean",
        "gitCommit": "none",
    }.items()
)
_SOURCES = Path(__file__).parent / "go"


def cache() -> Path:
    """The folder of all that the tests keep."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home, "modulehost")


def folder() -> Path:
    """Where they are, once they are built."""
    return cache() / f"kubernetes-{KUBERNETES}-coredns-{COREDNS}"


def why_not() -> str | None:
    """Why they cannot be built on this machine; None when they can, or are there."""
    if all((folder() / name).exists() for name in (*PLANE, *NODE)) or shutil.which("go"):
        return None
    return "that takes Go 1.24 or later"


def build() -> Path:
    """The folder with the programs. The first time takes minutes, and the Go module proxy."""
    home = folder()
    home.mkdir(parents=True, exist_ok=True)
    with _alone(home):
        tools = [name for name in (*PLANE, *NODE) if name not in ("dns", "pause")]
        if missing := [name for name in tools if not (home / name).exists()]:
            _build(home, _pinned, {name: _package(name) for name in missing}, _FLAGS)
        for name, prepare in (("dns", _dns), ("pause", _pause)):  # the modules' names, too
            if not (home / name).exists():
                _build(home, prepare, {name: name}, "-s -w")
    return home


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    with (home / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _package(name: str) -> str:
    return "go.etcd.io/etcd/server/v3" if name == "etcd" else f"k8s.io/kubernetes/cmd/{name}"


def _build(
    home: Path, prepare: Callable[[Path], None], packages: dict[str, str], flags: str
) -> None:
    """Build in a folder of its own: what is cut short leaves nothing that looks done."""
    draft = home / ".draft"
    shutil.rmtree(draft, ignore_errors=True)
    (draft / "out").mkdir(parents=True)
    prepare(draft)
    out = draft / "out"
    _go(draft, "build", "-trimpath", "-ldflags", flags, "-o", f"{out}/", *packages.values())
    for name, package in packages.items():
        built = "server" if name == "etcd" else package.rpartition("/")[2]
        (out / built).rename(home / name)
    shutil.rmtree(draft)


def _go(where: Path, *arguments: str) -> str:
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    environ = {
        "GOCACHE": str(caches / "go-build"),
        "GOMODCACHE": str(caches / "go-mod"),
        **os.environ,
        "CGO_ENABLED": "0",
        "GOTOOLCHAIN": "local",  # no other Go is downloaded
        "GOFLAGS": "-buildvcs=false -mod=mod",  # go.sum is filled in as modules arrive
    }
    done = subprocess.run(
        ["nice", "go", *arguments], cwd=where, env=environ, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"go {arguments[0]} in {where}: {(done.stdout + done.stderr)[-4000:]}")
    return done.stdout


def _pinned(draft: Path) -> None:
    """Write a go.mod with the requirements of Kubernetes.

    Its own replaces its staging modules by folders of its repository, which a module that requires
    it cannot do: here they are replaced by their releases. Those that nothing requires are left
    out; of these, one is not served at this version.
    """
    (draft / "go.mod").write_text("module example.test/tools\n")
    release = f"v{KUBERNETES}"
    download = json.loads(_go(draft, "mod", "download", "-json", f"k8s.io/kubernetes@{release}"))
    source = json.loads(_go(draft, "mod", "edit", "-json", download["GoMod"]))
    staging = {
        replaced["Old"]["Path"]
        for replaced in source["Replace"]
        if replaced["New"]["Path"].startswith("./")
    }
    required = {one["Path"]: one["Version"] for one in source["Require"]}
    lines = ["module example.test/tools", f"go {source['Go']}"]
    lines += [f"godebug {one['Key']}={one['Value']}" for one in source.get("GoDebug", ())]
    lines += [f"require k8s.io/kubernetes {release}"]
    for path, version in required.items():
        if path in staging:
            lines += [f"require {path} {_STAGED}", f"replace {path} => {path} {_STAGED}"]
        else:
            lines += [f"require {path} {version}"]
    (draft / "go.mod").write_text("\n".join((*lines, "")))


def _dns(draft: Path) -> None:
    """A CoreDNS with few plugins: its own list brings the clients of several clouds."""
    shutil.copy(_SOURCES / "dns.go", draft / "main.go")
    _go(draft, "mod", "init", "dns")
    libraries = [f"k8s.io/{name}@{_STAGED}" for name in ("api", "apimachinery", "client-go")]
    # the client libraries of the release above: they are compiled once
    _go(draft, "get", f"github.com/coredns/coredns@v{COREDNS}", *libraries)


def _pause(draft: Path) -> None:
    """The program that holds a pod's namespaces."""
    shutil.copy(_SOURCES / "pause.go", draft / "main.go")
    _go(draft, "mod", "init", "pause")
