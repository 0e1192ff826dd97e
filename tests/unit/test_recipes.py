"""docs/recipes.md is one plugin, which does what the page says, against a fake database server."""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import site
from support.host import Host, running
from support.pages import blocks
from support.venv import ROOT

from modulehost.plugin.discovery import Found
from modulehost.testing.checks import Checks

PAGE = ROOT / "docs" / "recipes.md"
ADMIN = "the-password-of-the-administrator"


class World:
    """The folders of the server, the secrets and the store."""

    def __init__(self, folder: Path) -> None:
        self.server, self.secrets, self.store = (
            folder / name for name in ("server", "secrets", "store")
        )
        for made in (self.server, self.secrets / "db-admin", self.store):
            made.mkdir(parents=True)
        (self.server / "PASSWORD").write_text(ADMIN)
        (self.secrets / "db-admin" / "password").write_text(ADMIN)
        packages = folder / "packages"
        packages.mkdir()
        head, *parts = [block.text for block in blocks(PAGE) if block.language == "python"]
        body = textwrap.indent("config = Config\n\n" + "\n\n".join(parts), "    ")
        (packages / "recipes.py").write_text(f"{head}\n\nclass Manager:\n{body}")
        shutil.copy(ROOT / "tests/support/databases.py", packages)
        site.write_metadata(packages, "recipes", "recipes", "recipes")
        self.config = {"database": "shop"}
        self.settings: dict[str, Any] = {
            "MODULE_PLUGIN": "recipes",
            "MODULE_SECRETS": self.secrets,
            "MODULE_STORE": self.store,
            "DATABASES": self.server,
            "PYTHONPATH": packages,
        }

    def left(self) -> list[str]:
        """What was made and is there."""
        made = [*self.server.glob("*.*"), *self.secrets.glob("shop*/*"), *self.store.iterdir()]
        return sorted(re.sub(r"\.[0-9a-f]{16}", "", path.name) for path in made)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """One for each test."""
    return World(tmp_path)


@pytest.fixture
def host(world: World, tmp_path: Path) -> Iterator[Host]:
    """A host with the page's plugin."""
    with running(tmp_path / "host", config=world.config, **world.settings) as host:
        yield host


def test_a_whole_life(world: World, host: Host) -> None:
    """The rows are in the dump while it sleeps, and back afterwards; each call may come twice."""
    (world.server / "FAULT").write_text("1")  # away for a moment
    metadata: Any = {}
    for _ in range(2):
        reply = host.call("install", metadata)
        assert reply.status == 201, reply.text
        metadata = reply.json
    (world.server / "shop.db").write_text("a row\n" * 300_000)
    for _ in range(2):
        metadata = host.call("sleep", metadata).json
        assert world.left() == ["password", "shop.dump", "shop.role"]
    for _ in range(2):
        metadata = host.call("resume", metadata).json
        assert world.left() == ["password", "shop.db", "shop.role"]
        assert (world.server / "shop.db").read_text() == "a row\n" * 300_000
    assert host.call("uninstall", metadata).status == 204
    assert world.left() == []
    assert ADMIN not in str(host.events())


def test_a_password_is_made_once(world: World, host: Host) -> None:
    """The second install has that of the first; it is in no answer and in no line of the log."""
    replies = [host.call("install", {})]
    password = (world.secrets / "shop-db" / "password").read_text()
    replies.append(host.call("install", replies[0].json))
    assert (world.secrets / "shop-db" / "password").read_text() == password
    assert (world.server / "shop.role").read_text() == password
    assert password not in "".join(reply.text for reply in replies) + str(host.events())


def test_with_wrong_credentials_it_says_what_is_left(world: World, host: Host) -> None:
    """And keeps the password of what is left; with the right ones all goes."""
    metadata = host.call("install", {}).json
    (world.server / "PASSWORD").write_text("changed")
    reply = host.call("uninstall", metadata)
    assert (reply.status, reply.text) == (
        400,
        "database shop, role shop may be left on db.example.com: db.example.com refuses the"
        " password of admin\n",
    )
    assert world.left() == ["password", "shop.db", "shop.role"]
    (world.server / "PASSWORD").write_text(ADMIN)
    assert host.call("uninstall", metadata).status == 204
    assert world.left() == []


def test_with_wrong_credentials_and_nothing_made_the_pod_can_go(world: World, host: Host) -> None:
    """An install that was refused has made nothing: uninstall connects to nobody."""
    (world.server / "PASSWORD").write_text("changed")
    assert host.call("install", {}).status == 400
    assert host.call("uninstall", {}).status == 204


@pytest.mark.slow
def test_killed_anywhere_it_leaves_nothing(world: World, tmp_path: Path) -> None:
    """At each note of each operation."""
    checks = Checks.of_plugin(
        Found("recipes", "recipes:Manager", "recipes", "1.0", ""),
        tmp_path / "hosts",
        world.config,
        world.settings,
        leftovers=lambda _: world.left(),
    )
    checks.select(only=["killed"])
    with checks:
        [result] = [checks.run(check) for check in checks.selected]
    assert (result.outcome, result.reason) == ("passed", "")
