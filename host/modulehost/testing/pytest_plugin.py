"""Fixtures for the tests of a plugin, in pytest wherever modulehost is installed.

``module``         the plugin under a stand-in for the operator: ``module.install(config=...)``,
                   ``.sleep()``, ``.resume()``, ``.uninstall()``, ``.metadata``, ``.events``,
                   ``.logs``, ``.health()``, ``.created``, and the folders ``.secrets`` and
                   ``.store``, where ``ctx.secret`` and ``ctx.store`` keep things. It runs in
                   this process; with ``@pytest.mark.modulehost(processes=True)`` behind a real
                   host.
``module_server``  a real host on a free port: ``.port``, ``.url``, ``.logs``.

The plugin is the one that the option ``modulehost_plugin`` names, or MODULE_PLUGIN, or the only
one that is installed, or that of the package whose tests these are. ``-p no:modulehost`` turns all
of it off. modulehost itself is imported when a fixture is used: whoever uses none pays nothing,
and coverage sees every import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modulehost.plugin.discovery import Found
    from modulehost.testing.checks import Checks
    from modulehost.testing.module import Module
    from modulehost.testing.server import ModuleServer

_MODULE: pytest.StashKey[Module] = pytest.StashKey()
_LAST_LINES = 50


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the option of the ini file."""
    parser.addini("modulehost_plugin", "modulehost: the name of the plugin under test", default="")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line(
        "markers",
        "modulehost(processes=False, **settings): how the fixtures module and module_server run"
        " the plugin: processes=True for a real host; settings are its environment variables",
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Show what the module has logged with a failure."""
    report = yield
    module = item.stash.get(_MODULE, None)
    if report.when == "call" and report.failed and module is not None:
        lines = [f"{line.get('level', '')}: {line}" for line in module.logs[-_LAST_LINES:]]
        report.sections.append(("modulehost log", "\n".join(lines)))
    return report


@pytest.fixture
def module(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Module]:
    """The plugin under a stand-in for the operator."""
    from modulehost.testing import module as modules

    processes, settings = _marked(request)
    folder = tmp_path_factory.mktemp("module")
    if processes:
        with _server(request.config, folder, settings) as server:
            made = modules.in_processes(server, folder)
            request.node.stash[_MODULE] = made
            with made.operator:
                yield made
        return
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, str(value))
        from modulehost.shared.errors import HostError

        try:
            made = modules.in_process(_plugin(request.config), folder)
        except HostError as error:
            pytest.fail(str(error), pytrace=False)
        request.node.stash[_MODULE] = made
        yield made


@pytest.fixture
def module_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ModuleServer]:
    """A real host with the plugin on a free port."""
    _, settings = _marked(request)
    with _server(request.config, tmp_path_factory.mktemp("module"), settings) as server:
        yield server


@pytest.fixture(scope="session")
def modulehost_checks(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """Conformance suites of this session; each has a host of its own, stopped at the end."""
    made: dict[str, Checks] = {}

    def checks(config: dict[str, Any], settings: dict[str, Any], leftovers: Any) -> Checks:
        from modulehost.testing.checks import Checks
        from modulehost.testing.kill_check import named

        key = repr((config, settings, leftovers))
        if key not in made:
            folder = tmp_path_factory.mktemp("checks")
            finder = named(leftovers) if isinstance(leftovers, str) else leftovers
            made[key] = Checks.of_plugin(
                _plugin(request.config), folder, config, settings, leftovers=finder
            )
        return made[key]

    yield checks
    for suite in made.values():
        suite.close()


def _marked(request: pytest.FixtureRequest) -> tuple[bool, dict[str, Any]]:
    processes = False
    settings: dict[str, Any] = {}
    for marker in reversed(list(request.node.iter_markers("modulehost"))):  # the closest wins
        settings |= marker.kwargs
        processes = settings.pop("processes", processes)
    return processes, settings


def _server(config: pytest.Config, folder: Path, settings: dict[str, Any]) -> ModuleServer:
    from modulehost.testing.places import places
    from modulehost.testing.server import ModuleServer

    return ModuleServer(folder, _plugin(config).name, **{**places(folder), **settings})


def _plugin(config: pytest.Config) -> Found:
    """The plugin under test; the test fails with a reason when it is not clear which that is."""
    import os

    from modulehost.plugin import discovery
    from modulehost.shared.errors import PluginError

    name = config.getini("modulehost_plugin") or os.environ.get("MODULE_PLUGIN", "").strip()
    found = discovery.find()
    if not name:
        package = _package(config.rootpath)
        ours = [plugin for plugin in found if _normal(plugin.package) == package]
        found = ours if len(found) > 1 and ours else found
    try:
        return discovery.select(found, name or None)
    except PluginError as error:
        pytest.fail(
            f"{str(error).removeprefix('MODULE_PLUGIN=')}; which plugin these tests are for is"
            " said by modulehost_plugin = NAME in pytest's options, or by MODULE_PLUGIN",
            pytrace=False,
        )


def _package(root: Path) -> str:
    """What the package in this folder is called; empty when it does not say."""
    import configparser
    import tomllib

    setup = configparser.ConfigParser(interpolation=None)
    try:
        project = tomllib.loads((root / "pyproject.toml").read_text()).get("project", {})
        if "name" in project:
            return _normal(str(project["name"]))
    except (OSError, ValueError):
        pass
    try:
        setup.read(root / "setup.cfg")
        return _normal(setup.get("metadata", "name", fallback=""))
    except (configparser.Error, ValueError):
        return ""


def _normal(package: str) -> str:
    return package.lower().replace("_", "-").replace(".", "-")
