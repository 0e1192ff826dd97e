"""What is in the packages that users install."""

from __future__ import annotations

import configparser
import email.message
import email.parser
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.venv import PLUGINS, ROOT

import modulehost

PACKAGES = {"modulehost": ROOT / "host"} | {f"modulehost_{p.name}": p for p in PLUGINS}


@pytest.fixture(params=sorted(PACKAGES))
def package(request: pytest.FixtureRequest) -> str:
    """Each import package in turn."""
    name: str = request.param
    return name


@pytest.fixture
def wheel(wheels: list[Path], package: str) -> Iterator[zipfile.ZipFile]:
    """Its wheel."""
    with opened(wheels, package) as file:
        yield file


def opened(wheels: list[Path], package: str) -> zipfile.ZipFile:
    """The wheel of that package."""
    [path] = [path for path in wheels if path.name.startswith(f"{package}-")]
    return zipfile.ZipFile(path)


def read(wheel: zipfile.ZipFile, name: str) -> str:
    """A file of the dist-info folder."""
    [path] = [path for path in wheel.namelist() if path.endswith(f".dist-info/{name}")]
    return wheel.read(path).decode()


def metadata(wheel: zipfile.ZipFile) -> email.message.Message:
    """The core metadata."""
    return email.parser.Parser().parsestr(read(wheel, "METADATA"))


def test_a_wheel_holds_its_package_and_nothing_else(wheel: zipfile.ZipFile, package: str) -> None:
    """Every file of the package, ``py.typed`` among them; none of the tests beside it."""
    folder = PACKAGES[package]
    sources = {
        str(path.relative_to(folder))
        for path in (folder / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == sources
    assert f"{package}/py.typed" in held


def test_a_wheel_says_what_a_user_must_know(wheel: zipfile.ZipFile, package: str) -> None:
    """Version, summary, licence and the README are in the metadata."""
    found = metadata(wheel)
    assert found["Name"] == package.replace("_", "-")
    assert found["Version"] == modulehost.__version__
    assert found["Summary"]
    assert "Apache-2.0" in (found["License-Expression"], found["License"])
    assert found["Requires-Python"] == ">=3.11"
    assert found["Description-Content-Type"] == "text/markdown"
    assert str(found.get_payload()).strip().startswith(f"# {package.replace('_', '-')}\n")


def test_the_host_carries_its_licence(wheels: list[Path]) -> None:
    """The wheel of the host has the text of the licence."""
    with opened(wheels, "modulehost") as wheel:
        assert read(wheel, "licenses/LICENSE") == (ROOT / "LICENSE").read_text()


def test_entry_points_are_declared(wheel: zipfile.ZipFile, package: str) -> None:
    """The host brings its command and a plugin for pytest, the others a manager of their name."""
    entries = configparser.ConfigParser()
    entries.read_string(read(wheel, "entry_points.txt"))
    if package == "modulehost":
        assert entries["console_scripts"]["modulehost"] == "modulehost.cli:main"
        assert entries["pytest11"]["modulehost"] == "modulehost.testing.pytest_plugin"
        assert "modulehost.managers" not in entries
    else:
        [name] = entries["modulehost.managers"]
        assert name == package.removeprefix("modulehost_")


def test_the_host_needs_five_packages(wheels: list[Path]) -> None:
    """Whatever else there is belongs to an extra."""
    with opened(wheels, "modulehost") as wheel:
        needs = metadata(wheel).get_all("Requires-Dist", [])
    names = {need.partition(">")[0] for need in needs if "extra ==" not in need}
    assert names == {"flask", "gunicorn", "msgspec", "pluggy", "structlog"}
