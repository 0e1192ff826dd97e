"""Who imports what, proved in processes of their own."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import site
from support.host import StartHost
from support.interpreter import modules_after

SERVERS = {"flask", "gunicorn", "werkzeug", "jinja2", "click"}
LOADERS = {
    "pluggy",
    "modulehost.plugin.discovery",
    "modulehost.plugin.hooks",
    "modulehost.runner.loop",
}
DEAR = {"enum", "re", "socket", "signal", "typing", "contextlib", "functools", "collections"}


def test_the_keeper_imports_next_to_nothing() -> None:
    """What the keeper needs to listen costs none of Python's dear modules."""
    modules = modules_after(
        """
from modulehost.keeper import keeper, listening
keeper.Keeper(listening.listen(0), "", None)
""",
        bare=True,
    )
    assert "modulehost.keeper.keeper" in modules
    assert modules & DEAR == set()
    ours = {name for name in modules if name.startswith("modulehost.")}
    shared = {name for name in ours if not name.startswith("modulehost.keeper")}
    assert shared == {"modulehost.shared", "modulehost.shared.linux", "modulehost.shared.names"}


def test_the_command_adds_nothing_before_it_listens() -> None:
    """``modulehost serve`` goes to the keeper by the shortest way."""
    modules = modules_after(
        """
sys.argv = ["modulehost", "serve", "--port", "what"]
sys.stderr = open("/dev/null", "w")
from modulehost.cli import main
assert main() == 2
""",
        bare=True,
    )
    assert "modulehost.keeper.serve" in modules
    assert modules & (DEAR | SERVERS | {"argparse", "msgspec"}) == set()


def test_the_runner_imports_no_server() -> None:
    """The code of the runner knows neither Flask nor gunicorn."""
    modules = modules_after("import modulehost.runner.loop")
    assert "modulehost.plugin.discovery" in modules
    assert modules & SERVERS == set()
    assert {name for name in modules if name.startswith("modulehost.front")} == set()


def test_a_running_runner_has_imported_no_server(start_host: StartHost) -> None:
    """Nor has the real process, in the middle of an operation."""
    host = start_host("tells_modules")
    reply = host.call("install", {})
    assert reply.status == 201, reply.text
    modules = set(reply.json["modules"])
    assert {"tells_modules", "modulehost.plugin.discovery", "pluggy", "structlog"} <= modules
    assert modules & SERVERS == set()


@pytest.mark.parametrize(
    "module",
    [
        "modulehost.front.app",
        "modulehost.front.gunicorn",
        "modulehost.front.worker",
        "modulehost.front.operations",
    ],
)
def test_the_code_of_the_front_knows_no_plugins(module: str) -> None:
    """Nothing in the front imports what finds, checks or runs plugins."""
    modules = modules_after(f"import {module}")
    assert module in modules
    assert modules & LOADERS == set()


def test_a_serving_front_has_imported_no_plugin(tmp_path: Path) -> None:
    """After a whole life of a module the front's process has seen neither plugin nor pluggy."""
    site.install(tmp_path / "site", "good")
    modules = modules_after(
        """
from modulehost.wsgi import app, operations
statuses = {"install": 201, "sleep": 200, "resume": 200, "uninstall": 204}
client = app.test_client()
try:
    for operation, status in statuses.items():
        reply = client.post(f"/{operation}", data=b"{}")
        assert reply.status_code == status, reply.text
        reply.close()
    assert client.get("/health").status_code == 200
finally:
    operations.close()
""",
        PYTHONPATH=str(tmp_path / "site"),
        MODULE_PLUGIN="good",
        MODULE_STATE_DIR=str(tmp_path / "state"),
        MODULE_CONFIG_DIR=str(tmp_path / "config"),
    )
    assert {"modulehost.wsgi", "flask"} <= modules
    assert modules & (LOADERS | {"good"}) == set()


def test_selecting_a_plugin_imports_only_that_one(start_host: StartHost) -> None:
    """Of several plugins that are installed the others are never imported."""
    host = start_host("tells_modules", "good", MODULE_PLUGIN="tells_modules")
    modules = host.call("install", {}).json["modules"]
    assert "tells_modules" in modules
    assert "good" not in modules
    assert "modulehost_example" not in modules
