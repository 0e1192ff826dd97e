"""A store in a folder outlives the pod; what is half written, changed or gone is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.host import StartHost
from support.stores import check_a_life, check_a_write_that_fails, stored


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A volume, mounted."""
    folder = tmp_path / "volume"
    folder.mkdir()
    return folder


def keys(folder: Path) -> set[str]:
    """The files in it."""
    return {path.name for path in folder.iterdir()}


def test_dumps_are_written_replaced_read_and_removed(start_host: StartHost, folder: Path) -> None:
    """Nobody else can read the files."""
    host = start_host("stores_dumps", MODULE_STORE=folder)
    metadata = host.call("sleep", {}).json
    assert [path.stat().st_mode & 0o777 for path in folder.iterdir()] == [0o600]
    assert host.call("uninstall", metadata).status == 204
    check_a_life(host, lambda: keys(folder))


@pytest.mark.parametrize("how", ["fail", "die"])
def test_a_dump_that_is_not_whole_never_takes_the_place_of_one(
    start_host: StartHost, folder: Path, how: str
) -> None:
    """Whether the hook raises or its process is killed; uninstall finds what there is."""
    host = start_host("stores_dumps", MODULE_STORE=folder)
    check_a_write_that_fails(host, lambda: keys(folder), how)


def test_a_full_volume_fails_the_operation_with_the_path(
    start_host: StartHost, folder: Path
) -> None:
    """A limit of the process stands for it. The older dump stays, nothing else does."""
    host = start_host("stores_dumps", MODULE_STORE=folder)
    metadata = host.call("sleep", {}).json
    before = keys(folder)
    (host.folder / "full").touch()
    reply = host.call("sleep", metadata)
    assert reply.status == 400
    assert reply.text.startswith(f"{folder}/shop.dump.")
    assert reply.text.endswith(".part cannot be written: File too large\n")
    assert keys(folder) == before


def test_two_modules_can_have_one_folder(start_host: StartHost, folder: Path) -> None:
    """With the same names; each removes its own."""
    hosts = [start_host("stores_dumps", MODULE_STORE=folder, SIZE=100_000) for _ in range(2)]
    metadata = [host.call("sleep", {}).json for host in hosts]
    assert hosts[0].call("uninstall", metadata[0]).status == 204
    assert hosts[1].call("resume", metadata[1]).status == 200
    assert hosts[1].call("uninstall", metadata[1]).status == 204
    assert keys(folder) == set()


@pytest.mark.parametrize("change", ["cut", "flip", "grow"])
def test_what_was_changed_is_not_read_to_its_end(
    start_host: StartHost, folder: Path, change: str
) -> None:
    """A bit, the end, something more."""
    host = start_host("stores_dumps", MODULE_STORE=folder, SIZE=100_000)
    metadata = host.call("sleep", {}).json
    [path] = folder.iterdir()
    data = path.read_bytes()
    others = {"cut": data[:-1], "flip": data[:-1] + bytes([data[-1] ^ 1]), "grow": data + b"x"}
    path.write_bytes(others[change])
    reply = host.call("resume", metadata)
    assert reply.status == 400
    if change == "cut":
        assert "in the store is not what was written: 99999 bytes of 100000" in reply.text


def test_what_is_gone_is_told_and_does_not_hold_up_uninstall(
    start_host: StartHost, folder: Path
) -> None:
    """The path is named."""
    host = start_host("stores_dumps", MODULE_STORE=folder, SIZE=100_000)
    metadata = host.call("sleep", {}).json
    [path] = folder.iterdir()
    path.unlink()
    assert (
        host.call("resume", metadata).text == f"{path} cannot be read: No such file or directory\n"
    )
    assert host.call("uninstall", metadata).status == 204


def test_without_a_store_nothing_is_written_anywhere(start_host: StartHost, tmp_path: Path) -> None:
    """The setting is named; so is a folder that is not mounted."""
    host = start_host("stores_dumps")
    assert host.call("sleep", {}).text == (
        "no store is configured: set MODULE_STORE to a mounted volume or s3://BUCKET/PREFIX\n"
    )
    assert host.call("resume", {"dumps": 1}).text.startswith("no store is configured")
    assert host.call("uninstall", {}).status == 204  # nothing was made
    other = start_host("stores_dumps", MODULE_STORE=tmp_path / "nowhere")
    assert other.call("sleep", {}).text == (
        f"the store {tmp_path}/nowhere is not there: mount a volume, or set MODULE_STORE\n"
    )


@pytest.mark.parametrize("name", ["../etc", "a/b", "/tmp/x"])
def test_a_name_that_leads_out_of_the_folder_is_refused(
    start_host: StartHost, folder: Path, name: str
) -> None:
    """The metadata comes over the network."""
    host = start_host("stores_dumps", MODULE_STORE=folder, SIZE=100_000)
    metadata = host.call("sleep", {}).json
    stored(metadata)[0]["name"] = name
    reply = host.call("uninstall", metadata)
    assert (reply.status, reply.text) == (400, f"{name} is no name in the store\n")


@pytest.mark.parametrize("setting", ["data", "s3://", "s3://B", "http://x/y"])
def test_a_setting_that_is_no_store_is_told(start_host: StartHost, setting: str) -> None:
    """As any other setting."""
    host = start_host("stores_dumps", MODULE_STORE=setting)
    assert "it takes an absolute path, or s3://BUCKET/PREFIX" in host.call("sleep", {}).text
