"""Prints what is in an image, as CycloneDX 1.6: run it with the image's own Python.

    docker run --rm -i --entrypoint python IMAGE - < deploy/sbom.py > sbom.cdx.json

It names the Python packages, Python itself and, on Debian, the system's packages.
"""

from __future__ import annotations

import json
import platform
import re
import sys
import sysconfig
import uuid
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import quote

Component = dict[str, Any]


def component(kind: str, name: str, version: str, purl: str = "", **more: Any) -> Component:
    """One part of the image; what tells it from all others is its package URL."""
    identity = {"bom-ref": purl, "purl": purl} if purl else {"bom-ref": f"{kind}:{name}"}
    return {"type": kind, **identity, "name": name, "version": version, **more}


def python_packages() -> Iterator[Component]:
    """The packages of the virtual environment, then those of the Python beneath it."""
    paths = [
        sysconfig.get_path("purelib", vars={"base": prefix})
        for prefix in (sys.prefix, sys.base_prefix)
    ]
    for package in sorted(metadata.distributions(path=paths), key=python_purl):
        name = canonical(package.name)
        more: Component = {"licenses": licenses(package.metadata)}
        if summary := package.metadata.json.get("summary"):
            more["description"] = summary
        yield component("library", name, package.version, python_purl(package), **more)


def python_purl(package: metadata.Distribution) -> str:
    """The package URL of a Python package."""
    return f"pkg:pypi/{canonical(package.name)}@{quote(package.version)}"


def canonical(name: str) -> str:
    """The name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def licenses(fields: metadata.PackageMetadata) -> list[dict[str, Any]]:
    """The license: an SPDX expression, else what the classifiers say, else the first line."""
    given = fields.json
    if expression := given.get("license_expression"):
        return [{"expression": expression}]
    classifiers = given.get("classifier", [])
    names = [c.split(" :: ")[-1] for c in classifiers if str(c).startswith("License :: ")]
    names = names or str(given.get("license", "")).strip().splitlines()[:1]
    return [{"license": {"name": name}} for name in names]


def requirements() -> list[dict[str, Any]]:
    """Which package of the virtual environment needs which others."""
    there = {
        canonical(package.name): package
        for package in metadata.distributions(path=[sysconfig.get_path("purelib")])
    }
    found = []
    for _, package in sorted(there.items()):
        needed = {
            canonical(match[0])
            for requirement in package.requires or []
            if "extra ==" not in requirement and (match := re.match(r"[\w.-]+", requirement))
        }
        purls = sorted(python_purl(there[name]) for name in needed & there.keys())
        found.append({"ref": python_purl(package), "dependsOn": purls})
    return found


def debian_packages(distro: str) -> Iterator[Component]:
    """The packages in dpkg's database; none where there is no dpkg."""
    status = Path("/var/lib/dpkg/status")
    for entry in status.read_text("utf-8").split("\n\n") if status.exists() else ():
        fields = dict(re.findall(r"^([\w-]+): *(.*)$", entry, re.MULTILINE))
        if fields.get("Status", "").endswith(" installed"):
            name, version = fields["Package"], fields["Version"]
            where = f"arch={fields['Architecture']}&distro={distro}"
            purl = f"pkg:deb/debian/{quote(name)}@{quote(version)}?{where}"
            yield component("library", name, version, purl)


def main() -> None:
    """Print the document; the same image gives the same."""
    system = platform.freedesktop_os_release()
    # a release to come has no number yet
    release = system.get("VERSION_ID") or system.get("VERSION_CODENAME", "")
    distro = f"{system['ID']}-{release}"
    python = platform.python_version()
    parts = [
        component("operating-system", system["ID"], release),
        component("application", "python", python, f"pkg:generic/python@{python}"),
        *python_packages(),
        *debian_packages(distro),
    ]
    parts = list({part["bom-ref"]: part for part in parts}.values())
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(parts))}",
        "version": 1,
        "metadata": {
            "component": component("container", "modulehost", metadata.version("modulehost"))
        },
        "components": parts,
        "dependencies": requirements(),
    }
    json.dump(document, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
