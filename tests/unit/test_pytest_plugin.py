"""The fixtures for the tests of a plugin, in runs of pytest of their own."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from support import site
from support.interpreter import modules_after

from modulehost.cli.new import files
from modulehost.testing.contract import CHECKS

pytestmark = pytest.mark.slow


pytest_plugins = ["pytester"]


@pytest.fixture
def run(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> pytest.Pytester:
    """Return a pytester whose runs know the plugins of ``tests/plugins`` that were installed."""
    for name in os.environ:
        if name.startswith(("MODULE", "PYTEST_", "COV_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # those of others are slow to load
    monkeypatch.setenv("PYTEST_PLUGINS", "modulehost.testing.pytest_plugin")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    monkeypatch.setenv("TEST_FOLDER", str(tmp_path))
    return pytester


def outcomes(run: pytest.Pytester, test: str, *options: str) -> tuple[dict[str, int], str]:
    """Run the test file; how many tests have passed, failed ..., and what was printed."""
    run.makepyfile(test)
    done = run.runpytest_subprocess("-q", "-p", "no:cacheprovider", *options)
    return done.parseoutcomes(), done.stdout.str()


def use(tmp_path: Path, run: pytest.Pytester, plugin: str) -> None:
    """Install the plugin, and say that the tests are for it."""
    site.install(tmp_path / "site", plugin)
    run.makeini(f"[pytest]\nmodulehost_plugin = {plugin}\n")


LIFE = """
import pytest
from modulehost.testing import OperationFailed

def life(module):
    module.install()
    assert module.metadata == {"install": 1}
    module.sleep()
    module.resume()
    assert module.metadata == {"install": 1, "sleep": 1, "resume": 1}
    assert module.health() == (True, "Service is running")
    module.uninstall()
    assert module.events == []

def test_in_this_process(module):
    life(module)
    import good  # it was imported here

@pytest.mark.modulehost(processes=True)
def test_in_processes(module):
    life(module)
    finished = [line for line in module.logs if line["event"] == "operation finished"]
    assert [line["outcome"] for line in finished] == ["succeeded"] * 4

def test_a_server(module_server):
    import urllib.request
    assert module_server.url == f"http://127.0.0.1:{module_server.port}"
    with urllib.request.urlopen(module_server.url + "/health") as answer:
        assert answer.status == 200
"""


def test_a_module_lives_a_whole_life(run: pytest.Pytester, tmp_path: Path) -> None:
    """In the test's process, behind a real host, and as a server that a test calls itself."""
    use(tmp_path, run, "good")
    assert outcomes(run, LIFE)[0] == {"passed": 3}


CONFIG = """
import pytest
from modulehost.testing import OperationFailed

def test_the_config_is_converted(module):
    module.install(config={"appName": "shop", "replicas": 3.0})
    config = module.metadata["config"]
    assert (config["appName"], config["replicas"], config["cpuShare"]) == ("shop", 3, 0.5)
    assert [line["event"] for line in module.logs] == ["hook entered"]
    assert module.logs[0]["operation"] == "install"

@pytest.mark.parametrize("processes", [
    pytest.param(False), pytest.param(True, marks=pytest.mark.modulehost(processes=True))])
def test_a_wrong_config_is_refused(module, processes):
    with pytest.raises(OperationFailed, match="^config: appName: missing; .*; replicas: it takes"):
        module.install(config={"replicas": 0})
    assert module.metadata == {}
    assert "returned error: config: appName: missing" in module.events[0]
    module.uninstall()  # no hook was entered: there is nothing to clean up
    assert module.logs[-1]["event"] == "uninstall with nothing to clean up" or processes
"""


def test_the_config_goes_through_the_schema(run: pytest.Pytester, tmp_path: Path) -> None:
    """Defaults are filled in, and what is wrong is the reason of a failure and an event."""
    use(tmp_path, run, "configured")
    assert outcomes(run, CONFIG)[0] == {"passed": 3}


LOSSES = """
import os, pytest
from modulehost.testing import OperationFailed

def wrong(text):
    open(os.path.join(os.environ["TEST_FOLDER"], "fault"), "w").write(text)

both = pytest.mark.parametrize("processes", [
    pytest.param(False), pytest.param(True, marks=pytest.mark.modulehost(processes=True))])

@both
def test_what_a_failure_left_is_given_to_uninstall(module, processes):
    wrong("install fail")
    with pytest.raises(OperationFailed, match="^half-way through$"):
        module.install()
    assert module.metadata == {}
    module.uninstall()
    assert os.listdir(os.path.join(os.environ["TEST_FOLDER"], "things")) == []

@both
def test_an_answer_that_was_lost(module, processes):
    with pytest.raises(OperationFailed, match="the operator was restarted"):
        module.install(loses_answer=True)
    assert module.metadata == {}
    module.uninstall()
    assert os.listdir(os.path.join(os.environ["TEST_FOLDER"], "things")) == []

@both
def test_metadata_comes_back_as_go_keeps_it(module, processes):
    module.install()
    module.sleep()
    assert module.metadata["replicas"] == {"web": 3, "ratio": 0.1, "note": "<&> \\u2028 \\u00e9"}
    assert "\\\\u003c" in module.operator.annotation
    module.resume()
    module.uninstall()
"""


def test_what_the_operator_loses_is_restored(run: pytest.Pytester, tmp_path: Path) -> None:
    """The journal is the host's own, in this process as in those of a real host."""
    use(tmp_path, run, "builds_things")
    assert outcomes(run, LOSSES)[0] == {"passed": 6}


CANCELLED = """
import pytest
from modulehost.testing import OperationFailed

@pytest.mark.parametrize("loss", [{"hangs_up_after": 0.05}, {"cancel_at": 1}, {"cancel_at": 3}])
def test_the_operator_ends(module, loss):
    with pytest.raises(OperationFailed, match="the operator was restarted"):
        module.install(**loss)
    assert module.metadata == {}
    module.uninstall()

@pytest.mark.parametrize("processes", [
    pytest.param(False), pytest.param(True, marks=pytest.mark.modulehost(processes=True))])
def test_an_uninstall_goes_on_without_its_client(module, processes, monkeypatch):
    with pytest.raises(OperationFailed):
        module.install(hangs_up_after=0.3)
    with pytest.raises(OperationFailed, match="the operator was restarted"):
        module.uninstall(hangs_up_after=0)
    if not processes:
        assert module.uninstall().status == 204

def test_an_uninstall_is_cancelled_when_the_host_stops(module, monkeypatch):
    monkeypatch.setenv("MISBEHAVE_IN", "uninstall")
    module.install()
    with pytest.raises(OperationFailed, match="uninstall was cancelled: the host is stopping"):
        module.uninstall(cancel_at=1)

@pytest.mark.modulehost(MODULE_DEADLINE=0.1)
def test_the_deadline_passes(module):
    with pytest.raises(OperationFailed, match="install did not finish within 0.1 s"):
        module.install()

@pytest.mark.modulehost(processes=True, MODULE_DEADLINE=0.2)
def test_the_deadline_passes_in_processes(module):
    with pytest.raises(OperationFailed, match="install did not finish within 0.2 s"):
        module.install()
"""


def test_operations_can_be_cut_short(run: pytest.Pytester, tmp_path: Path) -> None:
    """After a time, at the nth look, or by the deadline: settings come with the marker."""
    use(tmp_path, run, "waits")
    assert outcomes(run, CANCELLED)[0] == {"passed": 8}


def test_metadata_that_is_no_json_fails_with_the_path(run: pytest.Pytester, tmp_path: Path) -> None:
    """In this process, too; the log is shown with a failed test."""
    use(tmp_path, run, "leaves_nan")
    counted, printed = outcomes(run, "def test_it(module):\n    module.install()\n")
    assert counted == {"failed": 1}
    assert 'OperationFailed: install left metadata["' in printed


def test_the_log_is_shown_with_a_failure(run: pytest.Pytester, tmp_path: Path) -> None:
    """A section of its own, below what was printed."""
    use(tmp_path, run, "configured")
    test = "def test_it(module):\n    module.install(config={'appName': 'a'})\n    assert False\n"
    _, printed = outcomes(run, test)
    assert "- modulehost log -" in printed
    assert "hook entered" in printed


def test_the_conformance_suite_is_one_line(run: pytest.Pytester, tmp_path: Path) -> None:
    """A test a check, with its id; a failure tells rule, reason and source without a traceback."""
    use(tmp_path, run, "good")
    counted, printed = outcomes(
        run,
        "from modulehost.testing import conformance\n"
        "only = ['health', 'install', 'install-twice', 'sleep-twice', 'deadline']\n"
        "test_conformance = conformance(only=only, skip=['sleep-twice'])\n",
        "-rA",
    )
    assert counted == {"passed": 2, "failed": 1, "skipped": 1}
    assert "PASSED test_the_conformance_suite_is_one_line.py::test_conformance[health]" in printed
    assert "test_conformance[install-twice]" in printed
    assert "install-twice: the second install changes install in the metadata\n" in printed
    assert "the contract: A second install changes nothing (" in printed
    assert "Traceback" not in printed


def test_the_suite_takes_a_config_and_settings(run: pytest.Pytester, tmp_path: Path) -> None:
    """As the command does."""
    use(tmp_path, run, "configured")
    test = (
        "from modulehost.testing import conformance\n"
        "test_good = conformance(config={'appName': 'shop'}, only=['install', 'config-defaults'])\n"
        "test_bad = conformance(only=['install'], MODULE_LOG_LEVEL='debug')\n"
    )
    assert outcomes(run, test)[0] == {"passed": 2, "failed": 1}


WHICH = "def test_it(module):\n    assert module.install().status == 201\n"


def test_the_plugin_is_named_by_the_option_first(
    run: pytest.Pytester, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It beats MODULE_PLUGIN."""
    use(tmp_path, run, "good")
    monkeypatch.setenv("MODULE_PLUGIN", "nobody")
    assert outcomes(run, WHICH)[0] == {"passed": 1}


def test_the_plugin_is_named_by_the_variable_next(
    run: pytest.Pytester, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for the host."""
    site.install(tmp_path / "site", "good")
    monkeypatch.setenv("MODULE_PLUGIN", "good")
    assert outcomes(run, WHICH)[0] == {"passed": 1}


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("setup.cfg", "[metadata]\nname = test_good\n"),
        ("pyproject.toml", '[project]\nname = "test-good"\nversion = "1"\n'),
    ],
)
def test_of_several_it_is_that_of_the_package_under_test(
    run: pytest.Pytester, tmp_path: Path, file: str, text: str
) -> None:
    """The one in whose folder pytest runs."""
    site.install(tmp_path / "site", "good")
    (run.path / file).write_text(text)
    assert outcomes(run, WHICH, "--rootdir", str(run.path))[0] == {"passed": 1}


def test_of_several_none_is_guessed(run: pytest.Pytester) -> None:
    """The error tells what there is, and how to say which."""
    counted, printed = outcomes(run, WHICH)
    assert counted == {"errors": 1}
    assert "several plugins are installed" in printed
    assert "modulehost_plugin = NAME" in printed
    assert "Traceback" not in printed


def test_a_plugin_that_does_not_load_fails_its_tests(run: pytest.Pytester, tmp_path: Path) -> None:
    """With the reason and the cure that the host would give."""
    use(tmp_path, run, "misspelt_hook")
    counted, printed = outcomes(run, WHICH)
    assert counted == {"errors": 1}
    assert "did you mean" in printed


def test_other_users_of_pytest_pay_nothing(
    run: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pytest finds the plugin by itself, imports that alone, and nothing that it stands on."""
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    monkeypatch.delenv("PYTEST_PLUGINS")
    test = """
import json, sys
def test_it():
    names = [name for name in sys.modules if name.split(".")[0] in ("modulehost", "msgspec",
             "structlog", "gunicorn")]
    print("\\nIMPORTED", json.dumps(sorted(names)))
"""
    _, printed = outcomes(run, test, "-s")
    [line] = [line for line in printed.splitlines() if line.startswith("IMPORTED")]
    assert json.loads(line.removeprefix("IMPORTED")) == [
        "modulehost",
        "modulehost.testing",
        "modulehost.testing.pytest_plugin",
    ]


def test_the_plugin_for_pytest_imports_only_pytest() -> None:
    """Whatever else it needs comes with the first fixture that is used."""
    modules = modules_after("import pytest, typing\nbefore = set(sys.modules)\n"
                            "import modulehost.testing.pytest_plugin")  # fmt: skip
    assert modules == {
        "modulehost",
        "modulehost.testing",
        "modulehost.testing.pytest_plugin",
    }


def test_the_names_of_the_package_are_handed_out_lazily() -> None:
    """Each of them is there, and no other."""
    import modulehost.testing

    for name in modulehost.testing.__all__:
        assert getattr(modulehost.testing, name)
    with pytest.raises(AttributeError, match="no attribute 'operate'"):
        modulehost.testing.operate  # noqa: B018


def test_the_tests_in_the_documentation_pass(run: pytest.Pytester, tmp_path: Path) -> None:
    """With the plugin that ``modulehost new`` makes."""
    name = f"hello-{os.getpid()}"  # it keeps its files in a folder of that name
    package = name.replace("-", "_")
    folder = tmp_path / "site"
    for path, text in files(name, package):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    site.write_metadata(folder, name, name, package)
    run.makeini(f"[pytest]\nmodulehost_plugin = {name}\n")
    text = (Path(__file__).parents[2] / "docs" / "testing.md").read_text()
    snippets = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    options = ("-k", "not conformance or uninstall-cut")
    assert outcomes(run, "\n".join(snippets), *options)[0] == {
        "passed": 6,
        "deselected": len(CHECKS) - 1,
    }


KEPT = """
import pytest

@pytest.mark.parametrize("processes", [
    pytest.param(False), pytest.param(True, marks=pytest.mark.modulehost(processes=True))])
def test_a_password(module, processes):
    module.install()
    password = (module.secrets / "shop-db/password").read_text()
    assert [(made.kind, made.name) for made in module.created] == [("secret", "shop-db")]
    assert password not in str(module.logs)
    module.uninstall()
    assert list(module.secrets.iterdir()) == []
"""

STORED = """
import pytest

@pytest.mark.parametrize("processes", [
    pytest.param(False), pytest.param(True, marks=pytest.mark.modulehost(processes=True))])
def test_a_dump(module, processes):
    module.sleep()
    [made] = module.created
    assert [path.name for path in module.store.iterdir()] == [made.name]
    module.resume()
    module.uninstall()
    assert list(module.store.iterdir()) == []
"""

VERSIONS = """
import json

def test_older_metadata(module):
    module.operator.annotation = json.dumps({"name": "web"})
    module.sleep()
    assert module.metadata["ports"] == {"web": 80}
"""


@pytest.mark.parametrize(
    ("plugin", "test", "passed"),
    [("has_a_password", KEPT, 2), ("stores_dumps", STORED, 2), ("has_versions", VERSIONS, 1)],
)
def test_what_the_host_keeps_is_at_hand(
    run: pytest.Pytester, tmp_path: Path, plugin: str, test: str, passed: int
) -> None:
    """Secrets, the store and the ledger, in folders of the test; older metadata is brought up."""
    use(tmp_path, run, plugin)
    counts, printed = outcomes(run, test)
    assert counts == {"passed": passed}, printed
