"""What makes images testable on a Debian machine without an engine or a registry.

The base image that is used otherwise, ``python:3.15-slim``, is played by one that is made of the
packages of the first Debian with that Python, from the machine's own mirror.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

SUITE = "forky"
PYTHON = "python3.15"
OLDER = "python3.13"


def recipe(python: str) -> list[str]:
    """What makes the file system of a base image with that Python."""
    packages = f"{python},{python}-venv,ca-certificates,netbase,tzdata"
    pip = "import sys; from pip._internal.cli.main import main; sys.exit(main())"
    return [
        "--mode=root",
        "--variant=minbase",
        f"--include={packages}",
        *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "man", "locale")),
        f'--customize-hook=ln -s /usr/bin/{python} "$1/usr/local/bin/python"',
        # As in the official image: there is a pip, it may install, and nothing is compiled.
        f'--customize-hook=rm -f "$1"/usr/lib/{python}/EXTERNALLY-MANAGED',
        f"--customize-hook={sys.executable} -m zipfile -e "
        f'"$1"/usr/share/python-wheels/pip-*.whl "$1"/usr/local/lib/{python}/dist-packages',
        f"--customize-hook=printf '#!/usr/bin/{python}\\n{pip}\\n' > \"$1/usr/local/bin/pip\"; "
        'chmod 755 "$1/usr/local/bin/pip"',
        '--customize-hook=find "$1/usr/lib" -name __pycache__ -prune -exec rm -r {} +',
        # Files to mount this machine's over while an image is built, and nothing of this machine.
        '--customize-hook=: > "$1/etc/pip.conf"; : > "$1/etc/resolv.conf"',
        '--customize-hook=echo localhost > "$1/etc/hostname"',
    ]


ENVIRONMENT = ("LANG=C.UTF-8", "PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin")

_TOOLS = {
    "podman": "podman",
    "runc": "runc",
    "mmdebstrap": "mmdebstrap",
    "iptables": "iptables",
    "/usr/lib/podman/netavark": "netavark",
}


def why_not() -> str | None:
    """Why images cannot be tested on this machine; None when they can."""
    if os.geteuid() != 0:
        return "that takes root"
    if not Path("/etc/debian_version").exists() or not shutil.which("apt-get"):
        return "that takes Debian"
    return None


def install_tools() -> None:
    """Install what building and running images takes."""
    install(_TOOLS)


def install(tools: Mapping[str, str]) -> None:
    """Install the packages of the tools that are not here yet."""
    if missing := [package for tool, package in tools.items() if not shutil.which(tool)]:
        environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        options = ("--yes", "--quiet=2", "--no-install-recommends")
        subprocess.run(["apt-get", "update", "--quiet=2"], check=True)
        subprocess.run(["apt-get", "install", *options, *missing], env=environ, check=True)


def base_tarball(cache: Path, python: str = PYTHON) -> Path:
    """The file system of a base image, as made by this recipe before or now."""
    steps = [step.replace(sys.executable, "python") for step in recipe(python)]
    name = hashlib.sha256("\n".join((SUITE, *steps)).encode()).hexdigest()[:12]
    tarball = cache / f"{python}-{SUITE}-{name}.tar"
    if not tarball.exists():
        draft = cache / "draft.tar"
        apt = cache / "apt.conf"
        apt.write_text(_apt_settings())
        argv = ["mmdebstrap", "--quiet", f"--aptopt={apt}", *recipe(python), SUITE, str(draft)]
        argv.append(str(_sources(cache)))
        subprocess.run(argv, env={**os.environ, "SOURCE_DATE_EPOCH": "0"}, check=True)
        for old in cache.glob(f"{python}-*.tar"):
            old.unlink()
        draft.rename(tarball)
    return tarball


def _sources(cache: Path) -> Path:
    """The machine's own sources of packages, for the suite of the base image."""
    source = Path("/etc/apt/sources.list.d/debian.sources")
    if not source.exists():
        source = Path("/etc/apt/sources.list")
    release = Path("/etc/os-release").read_text()
    here = re.findall(r"^VERSION_CODENAME=(\w+)", release, re.MULTILINE)
    path = cache / source.name
    path.write_text(re.sub(rf"\b{here[0]}(-[a-z]+)?\b", rf"{SUITE}\1", source.read_text()))
    return path


def _apt_settings() -> str:
    """How the machine reaches its mirror."""
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True)
    names = re.compile(r"Acquire::(Check-|https?|Retries|ForceIPv)", re.IGNORECASE)
    return "\n".join(line for line in dump.stdout.splitlines() if names.match(line)) + "\n"
