"""A fake of a database server and its client, for the recipes: a folder, a file a database.

``FAULT`` in its folder says what goes wrong: "away N" refuses the next N connections.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(os.environ["DATABASES"])


def connect(server: str, user: str, password: str) -> "Connection":
    """Log in; raises PermissionError, and ConnectionError while it is away."""
    fault = FOLDER / "FAULT"
    if fault.exists():
        left = int(fault.read_text())
        fault.write_text(str(left - 1)) if left > 1 else fault.unlink()
        raise ConnectionError(f"{server} is away")
    if password != (FOLDER / "PASSWORD").read_text():
        raise PermissionError(f"{server} refuses the password of {user}")
    return Connection()


class Connection:
    """What one may do there; making and dropping may be repeated."""

    def create_role(self, name: str, password: str) -> None:
        (FOLDER / f"{name}.role").write_text(password)

    def drop_role(self, name: str) -> None:
        (FOLDER / f"{name}.role").unlink(missing_ok=True)

    def create_database(self, name: str, owner: str) -> None:
        with (FOLDER / f"{name}.db").open("a"):
            assert (FOLDER / f"{owner}.role").exists()

    def drop_database(self, name: str) -> None:
        (FOLDER / f"{name}.db").unlink(missing_ok=True)

    def dump(self, name: str) -> Iterator[bytes]:
        yield json.dumps(name).encode() + b"\n"
        yield (FOLDER / f"{name}.db").read_bytes()

    def restore(self, name: str, piece: bytes) -> None:
        with (FOLDER / f"{name}.db").open("ab") as file:
            file.write(piece.removeprefix(json.dumps(name).encode() + b"\n"))
