"""Each practice that the guide to custom modules names, on real files."""

from __future__ import annotations

import configparser
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

import modulehost_example
from modulehost import Cancelled, ModuleError
from modulehost_example import Config, Manager

from .conftest import StandInContext

if TYPE_CHECKING:
    from .conftest import MakeModule, Module


@pytest.fixture
def installed() -> dict[str, Any]:
    """Return the metadata of a module by default, just installed."""
    return {
        "deploymentNamespace": "default",
        "deploymentName": "my-app-deployment",
        "installedResources": {"deployment": "my-app-deployment", "service": "my-app-service"},
    }


@pytest.mark.parametrize("hook", ["install", "uninstall", "sleep", "resume", "health"])
def test_every_hook_carries_the_marker(hook: str) -> None:
    """Without the marker the host would not find the hook."""
    assert hasattr(getattr(Manager, hook), "modulehost_impl")


def test_the_entry_point_leads_to_the_manager() -> None:
    """The package declares what the host looks for."""
    declared = configparser.ConfigParser()
    declared.read(Path(__file__).parents[1] / "setup.cfg")
    entry_points = declared["options.entry_points"]["modulehost.managers"].split("\n")
    assert "example = modulehost_example:Manager" in entry_points
    assert modulehost_example.Manager is Manager


def test_install_creates_a_deployment_and_a_service(module: Module) -> None:
    """Both are files that say what was asked for."""
    module.call("install")
    assert module.files() == {
        "default/my-app-deployment.json": {
            "kind": "Deployment",
            "namespace": "default",
            "name": "my-app-deployment",
            "replicas": 3,
        },
        "default/my-app-service.json": {
            "kind": "Service",
            "namespace": "default",
            "name": "my-app-service",
            "deployment": "my-app-deployment",
        },
    }


def test_install_stores_the_names_in_the_metadata(
    module: Module, installed: dict[str, Any]
) -> None:
    """They are what uninstall goes by; keys of others stay."""
    module.metadata["theirs"] = [1]
    module.call("install")
    assert module.metadata == {**installed, "theirs": [1]}


def test_install_checkpoints_what_it_is_about_to_make(
    module: Module, installed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whenever the process dies, the journal knows of whatever is there."""

    def nothing_yet(ctx: StandInContext) -> None:
        assert module.files() == {}
        checkpoint(ctx)

    checkpoint = StandInContext.checkpoint
    monkeypatch.setattr(StandInContext, "checkpoint", nothing_yet)
    ctx = module.call("install")
    assert ctx.checkpoints == [installed]
    assert ctx.texts == ["1/2: my-app-deployment is there"]


def test_a_second_install_changes_nothing(module: Module) -> None:
    """It finds what is there: no file is written again."""
    module.call("install")
    files, metadata = module.files(), module.metadata
    ctx = module.call("install")
    assert (module.files(), module.metadata) == (files, metadata)
    assert [entry["changed"] for entry in ctx.logged.entries] == [False]


@pytest.mark.parametrize("lost", ["my-app-deployment", "my-app-service"])
def test_a_second_install_repairs_what_is_missing(module: Module, lost: str) -> None:
    """A resource that somebody removed is there again."""
    module.call("install")
    files = module.files()
    (module.directory / "default" / f"{lost}.json").unlink()
    module.call("install")
    assert module.files() == files


def test_a_second_install_repairs_a_file_that_cannot_be_read(module: Module) -> None:
    """Sleep refuses the damaged file and names the cure, which works."""
    module.call("install")
    (module.directory / "default/my-app-deployment.json").write_text("{")
    with pytest.raises(ModuleError, match=r"holds no deployment .*install it again"):
        module.call("sleep")
    module.call("install")
    module.call("sleep")


def test_a_second_install_keeps_to_the_names_of_the_first(make_module: MakeModule) -> None:
    """What is recorded wins over a setting that changed: nothing is left without an owner."""
    module = make_module(appName="first", namespace="one")
    module.call("install")
    module.config = {"appName": "second", "namespace": "two"}
    module.call("install")
    assert set(module.files()) == {"one/first-deployment.json", "one/first-service.json"}


def test_install_while_asleep_wakes_nobody(module: Module) -> None:
    """A deployment that was lost asleep comes back asleep."""
    module.call("install")
    module.call("sleep")
    (module.directory / "default/my-app-deployment.json").unlink()
    module.call("install")
    assert module.replicas() == 0
    module.call("resume")
    assert module.replicas() == 3


def test_a_cancelled_install_stops_before_the_first_step(module: Module) -> None:
    """Nothing is created and nothing recorded."""
    with pytest.raises(Cancelled):
        module.call("install", cancelled_at=1)
    assert (module.files(), module.metadata) == ({}, {})


def test_uninstall_cleans_up_after_an_install_that_was_cut_short(module: Module) -> None:
    """The deployment was created, the service was not."""
    with pytest.raises(Cancelled):
        module.call("install", cancelled_at=2)
    assert set(module.files()) == {"default/my-app-deployment.json"}
    module.call("uninstall")
    assert (module.files(), module.metadata) == ({}, {})


def test_uninstall_cleans_up_after_a_resource_that_could_not_be_written(
    module: Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full between the draft and its renaming: the draft goes, too."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(ModuleError, match=r"cannot write .*cluster: No space left on device;"):
            module.call("install")
    assert list(module.directory.rglob("*.draft"))
    module.call("uninstall")
    assert (module.files(), module.metadata) == ({}, {})


def test_uninstall_removes_in_reverse_order(module: Module) -> None:
    """Cancelled half-way, it has removed the service and says so in the metadata."""
    module.call("install")
    with pytest.raises(Cancelled):
        module.call("uninstall", cancelled_at=2)
    assert set(module.files()) == {"default/my-app-deployment.json"}
    assert module.metadata["installedResources"] == {"deployment": "my-app-deployment"}


def test_uninstall_leaves_nothing_behind(module: Module) -> None:
    """The files are gone, and of the metadata what is not ours remains."""
    module.metadata["theirs"] = 1
    module.call("install")
    module.call("sleep")
    module.call("uninstall")
    assert (module.files(), module.metadata) == ({}, {"theirs": 1})


def test_uninstall_is_content_with_empty_metadata(module: Module) -> None:
    """A module can be deleted before it was installed; a warning tells."""
    ctx = module.call("uninstall")
    assert module.metadata == {}
    assert [entry["log_level"] for entry in ctx.logged.entries] == ["warning"]


def test_uninstall_is_content_when_the_files_are_gone(
    module: Module, installed: dict[str, Any]
) -> None:
    """Somebody was there before."""
    module.metadata = installed
    module.call("uninstall")
    assert module.metadata == {}


def test_uninstall_leaves_other_modules_alone(make_module: MakeModule) -> None:
    """Neither the same name in another namespace nor another name in the same one is touched."""
    modules = [
        make_module(),
        make_module(namespace="other"),
        make_module(appName="other"),
    ]
    for module in modules:
        module.call("install")
    modules[0].call("uninstall")
    assert set(modules[0].files()) == {
        "other/my-app-deployment.json",
        "other/my-app-service.json",
        "default/other-deployment.json",
        "default/other-service.json",
    }


def test_sleep_scales_to_nothing_and_remembers(module: Module, installed: dict[str, Any]) -> None:
    """The number goes into the metadata, and is safe there before anything is scaled."""
    module.call("install")
    ctx = module.call("sleep")
    assert module.replicas() == 0
    assert module.metadata == {**installed, "replicasBeforeSleep": 3}
    assert ctx.checkpoints == [module.metadata]


def test_sleep_remembers_what_somebody_scaled_by_hand(module: Module) -> None:
    """The deployment, not the config, says how many replicas there are, even beyond its limits."""
    module.call("install")
    file = module.directory / "default/my-app-deployment.json"
    file.write_text(file.read_text().replace("3", "12"))
    module.call("sleep")
    module.call("resume")
    assert module.replicas() == 12


def test_a_second_sleep_does_not_forget_the_number(module: Module) -> None:
    """The 0 that it finds is not what resume shall restore."""
    module.call("install")
    module.call("sleep")
    metadata = module.metadata
    module.call("sleep")
    assert module.metadata == metadata
    module.call("resume")
    assert module.replicas() == 3


def test_resume_restores_the_number_and_forgets_it(
    module: Module, installed: dict[str, Any]
) -> None:
    """Afterwards everything is as it was before sleep."""
    module.call("install")
    files = module.files()
    module.call("sleep")
    module.call("resume")
    assert (module.files(), module.metadata) == (files, installed)


def test_resume_without_sleep_changes_nothing(module: Module, installed: dict[str, Any]) -> None:
    """Nor does a second resume."""
    module.call("install")
    files = module.files()
    module.call("resume")
    module.call("resume")
    assert (module.files(), module.metadata) == (files, installed)


def test_resume_goes_by_the_config_when_the_number_was_lost(module: Module) -> None:
    """A module is better awake with the number first asked for than never."""
    module.call("install")
    module.call("sleep")
    del module.metadata["replicasBeforeSleep"]
    module.call("resume")
    assert module.replicas() == 3


def test_settings_in_the_body_are_no_state(module: Module, installed: dict[str, Any]) -> None:
    """Without a config.json the settings travel in the metadata: no key means both."""
    module.metadata = dict(module.config)
    for operation in ("install", "sleep", "resume"):
        module.call(operation)
    assert module.replicas() == 3
    module.call("uninstall")
    assert module.metadata == module.config
    assert not {*Config.__struct_encode_fields__} & {*installed, "replicasBeforeSleep"}


@pytest.mark.parametrize("operation", ["sleep", "resume"])
def test_nothing_sleeps_or_wakes_that_is_not_installed(
    module: Module, operation: str, installed: dict[str, Any]
) -> None:
    """The reason says what is missing and what to do."""
    with pytest.raises(ModuleError, match=r"deploymentName is not in the metadata: install"):
        module.call(operation)
    module.metadata = installed
    with pytest.raises(ModuleError, match=r"no deployment default/my-app-deployment: install"):
        module.call(operation)


@pytest.mark.parametrize("operation", ["install", "sleep", "resume", "uninstall"])
@pytest.mark.parametrize(
    "name", ["../../secret", "..", ".", "/etc/passwd", "a/b", "Upper", "a\n", "a\0", "a" * 64]
)
@pytest.mark.parametrize("place", ["namespace", "deployment"])
def test_a_name_in_the_metadata_never_leads_out_of_the_directory(
    module: Module, operation: str, name: str, place: str, installed: dict[str, Any]
) -> None:
    """Metadata comes over the network and may say anything."""
    key = {"namespace": "deploymentNamespace", "deployment": "deploymentName"}[place]
    module.metadata = {**installed, key: name}
    if place == "deployment":
        module.metadata["installedResources"] = {"deployment": name}
    victim = module.directory.parent / "secret.json"
    victim.write_text("{}")
    with pytest.raises(ModuleError, match="cannot name a resource"):
        module.call(operation)
    assert [path.name for path in module.directory.parent.iterdir()] == ["secret.json"]
    assert victim.read_text() == "{}"


@pytest.mark.parametrize(
    "config",
    [
        {"namespace": "../up"},
        {"namespace": ""},
        {"namespace": "a" * 64},
        {"appName": "a/b"},
        {"appName": "-a"},
        {"appName": "a" * 53},
        {"replicas": 0},
        {"replicas": 11},
    ],
)
def test_the_schema_refuses_what_makes_no_name_or_number(config: dict[str, Any]) -> None:
    """So the user hears of it before anything is done."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(config, Config)


def test_the_longest_names_that_the_schema_takes_can_be_used(make_module: MakeModule) -> None:
    """With "-deployment" appended the name is as long as a label may be."""
    module = make_module(namespace="n" * 63, appName="a" * 52)
    module.call("install")
    assert len(module.metadata["deploymentName"]) == 63


@pytest.mark.parametrize(
    "metadata",
    [
        {"deploymentName": 1},
        {"deploymentNamespace": []},
        {"installedResources": ["a"]},
        {"installedResources": {"service": None}},
        {"replicasBeforeSleep": 0},
        {"replicasBeforeSleep": "3"},
    ],
)
def test_metadata_of_the_wrong_kind_is_refused_by_key(
    module: Module, metadata: dict[str, Any]
) -> None:
    """The reason names the place."""
    module.metadata = metadata
    with pytest.raises(
        ModuleError, match=rf"not as this module left it .*\$\.{next(iter(metadata))}"
    ):
        module.call("install")


def test_a_healthy_directory_need_not_exist_yet(module: Module) -> None:
    """It is made, parents and all."""
    assert module.manager.health(None) is True
    assert module.directory.is_dir()


def test_health_says_why_the_directory_cannot_be_used(module: Module) -> None:
    """Here a file stands in its place."""
    module.directory.write_text("")
    with pytest.raises(ModuleError, match=r"cannot use .*cluster: File exists; .*EXAMPLE_DIR"):
        module.manager.health(None)


def test_health_notices_a_directory_that_cannot_be_written_to(
    module: Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a read-only file system."""
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(ModuleError, match="cannot be written to"):
        module.manager.health(None)


@pytest.mark.parametrize(
    ("environ", "directory"),
    [
        ({"EXAMPLE_DIR": "/given", "TMPDIR": "/scratch"}, "/given"),
        ({"EXAMPLE_DIR": "", "TMPDIR": "/scratch"}, "/scratch/modulehost-example"),
        ({"EXAMPLE_DIR": "", "TMPDIR": ""}, "/tmp/modulehost-example"),
    ],
)
def test_the_directory_comes_from_the_environment(
    environ: dict[str, str], directory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty variable counts as none."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert Manager().store.root == directory
