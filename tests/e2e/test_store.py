"""A store in a bucket, on a real S3 server over HTTP: moto's, in an environment of its own.

What that needs does not go together with the versions of constraints.txt.
"""

from __future__ import annotations

import secrets
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.host import StartHost, free_port
from support.processes import wait_until
from support.stores import check_a_life, check_a_write_that_fails
from support.venv import Environment, pip

MOTO = ("moto==5.2.5", "flask", "flask-cors")
LARGE = 40_000_000  # more than two parts


class Bucket:
    """An S3 server with one bucket."""

    def __init__(self, port: int) -> None:
        self.settings: dict[str, Any] = {
            "MODULE_STORE": "s3://dumps/shop/a",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": secrets.token_hex(8),
            "AWS_SECRET_ACCESS_KEY": secrets.token_hex(16),
            "AWS_REGION": "us-east-1",
        }
        self.port = port

    def ask(self, method: str, path: str) -> str:
        """What it answers."""
        url = f"http://127.0.0.1:{self.port}{path}"
        with urllib.request.urlopen(urllib.request.Request(url, method=method)) as answer:
            text: str = answer.read().decode()
            return text

    def keys(self) -> set[str]:
        """The objects below our prefix, and whatever is beside it."""
        listed = self.ask("GET", "/dumps?list-type=2")
        keys = {part.split("</Key>")[0] for part in listed.split("<Key>")[1:]}
        return {key.removeprefix("shop/a/") for key in keys}


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has the server."""
    environment = Environment.make(tmp_path_factory.mktemp("s3") / "venv")
    pip("install", *MOTO, python=environment.python)
    return environment.python


@pytest.fixture
def bucket(tmp_path: Path, server: Path) -> Iterator[Bucket]:
    """A server in a process of its own."""
    port = free_port()
    code = f"from moto.server import main; main(['-H', '127.0.0.1', '-p', '{port}'])"
    with (tmp_path / "s3.log").open("wb") as log:
        process = subprocess.Popen([server, "-c", code], stdout=log, stderr=log)
    bucket = Bucket(port)

    def answers() -> bool:
        try:
            return bool(bucket.ask("PUT", "/dumps")) or True
        except OSError:
            return False

    try:
        wait_until(answers, "the S3 server answers", 60)
        yield bucket
    finally:
        process.kill()
        process.wait()


def test_dumps_are_written_replaced_read_and_removed(start_host: StartHost, bucket: Bucket) -> None:
    """Below the prefix; the key of the account is shown nowhere."""
    host = start_host("stores_dumps", **bucket.settings)
    check_a_life(host, bucket.keys)


def test_a_large_one_goes_in_parts(start_host: StartHost, bucket: Bucket) -> None:
    """And comes back whole."""
    host = start_host("stores_dumps", SIZE=LARGE, **bucket.settings)
    metadata = host.call("sleep", {}).json
    assert host.call("resume", metadata).status == 200
    assert host.call("uninstall", metadata).status == 204
    assert bucket.keys() == set()


@pytest.mark.parametrize("how", ["fail", "die"])
@pytest.mark.parametrize("size", [3_000_000, LARGE])
def test_a_dump_that_is_not_whole_never_takes_the_place_of_one(
    start_host: StartHost, bucket: Bucket, how: str, size: int
) -> None:
    """Whether the hook raises or its process is killed, with some parts there or none."""
    host = start_host("stores_dumps", SIZE=size, **bucket.settings)
    check_a_write_that_fails(host, bucket.keys, how)


def test_the_credentials_can_come_from_a_secret(
    start_host: StartHost, bucket: Bucket, tmp_path: Path
) -> None:
    """Where the pod has none: the plugin sets the variables before it asks for the store."""
    folder = tmp_path / "secrets"
    (folder / "dumps-bucket").mkdir(parents=True)
    settings = bucket.settings.copy()
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        (folder / "dumps-bucket" / variable).write_text(settings.pop(variable))
    host = start_host("stores_dumps", MODULE_SECRETS=folder, **settings)
    check_a_life(host, bucket.keys)


def test_a_bucket_that_is_not_there_is_told(start_host: StartHost, bucket: Bucket) -> None:
    """Its name is in the reason; so is an address where nobody listens."""
    settings = bucket.settings | {"MODULE_STORE": "s3://other/shop"}
    host = start_host("stores_dumps", **settings)
    reply = host.call("sleep", {})
    assert reply.status == 400
    assert reply.text.startswith("the store s3://other/shop cannot be written")
    assert host.call("uninstall", {}).status == 204
