"""What is in the images, and what is not."""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import stat
from pathlib import Path

import pytest
from e2e.conftest import StartContainer, make_image
from e2e.containers import BASE, HARDENED, ROOT, Engine
from e2e.debian import OLDER, SUITE

import modulehost
from modulehost.shared.settings import Settings

DOCKERFILES = re.findall(
    r"^```dockerfile\n(.*?)^```$",
    (ROOT / "docs/images.md").read_text(),
    re.DOTALL | re.MULTILINE,
)

PLUGINS = sorted(path.parent.name for path in ROOT.glob("plugins/*/setup.cfg"))

EVERYTHING = """
import modulehost.front.app, modulehost.cli.call, modulehost.cli.parser, modulehost.cli.plugins
import modulehost.front.gunicorn, modulehost.runner.loop, modulehost.keeper.keeper
import modulehost_example
"""
"""Imports what any of the host's processes does."""


def test_the_image_is_described(engine: Engine, example: str) -> None:
    """Entry point, port, user, labels and health check are as the documentation has them."""
    image = engine.image(example)
    config = image["Config"]
    assert config["Entrypoint"] == ["modulehost-listen", "modulehost", "serve"]
    assert not config.get("Cmd")
    assert config["User"] == "65532:65532"
    assert config["ExposedPorts"] == {"8080/tcp": {}}
    environ = dict(variable.split("=", 1) for variable in config["Env"])
    assert (environ["PORT"], environ["HOME"]) == ("8080", "/tmp")
    labels = config["Labels"]
    prefix = "org.opencontainers.image."
    assert labels[f"{prefix}version"] == modulehost.__version__
    assert labels[f"{prefix}base.name"] == BASE
    assert labels[f"{prefix}licenses"] == "Apache-2.0"
    assert re.fullmatch(r"([0-9a-f]{40}(-dirty)?)?", labels[f"{prefix}revision"])
    assert f"{example}:{modulehost.__version__}" in image["RepoTags"]


def test_the_health_check_comes_less_often_than_the_host_falls_asleep(
    engine: Engine, base: str
) -> None:
    """Each check keeps a host that is awake from sleeping for a while; there must be a gap."""
    check = engine.image(base)["Healthcheck"]
    assert check["Test"] == ["CMD", "modulehost", "call", "health", "--unless-asleep"]
    assert check["Interval"] / 1e9 > Settings.from_env({}).idle


def test_a_modules_image_is_the_base_and_one_layer(engine: Engine, base: str, example: str) -> None:
    """A node that has the base loads only the plugin, which is small."""
    without, with_plugin = (engine.image(name)["RootFS"]["Layers"] for name in (base, example))
    assert len(with_plugin) == len(without)  # an empty one stands where the plugin would be
    assert with_plugin[:-1] == without[:-1]
    assert engine.image(example)["Size"] - engine.image(base)["Size"] < 200_000


def test_the_user_has_a_name_and_no_password(engine: Engine, base: str) -> None:
    """Programs that ask who they are get an answer."""
    assert engine.output(base, "id").strip() == (
        "uid=65532(modulehost) gid=65532(modulehost) groups=65532(modulehost)"
    )


def test_only_the_host_is_added_to_the_base(engine: Engine, base: str) -> None:
    """Its environment, the library's bytecode and its user: nothing of the build or of pip's."""
    with engine.mounted(BASE) as before, engine.mounted(base) as after:
        old, new = files(before), files(after)
    assert not old.keys() - new.keys()
    changed = {path for path in new if old.get(path) != new[path]}
    others = {
        path
        for path in changed
        if not path.startswith("/opt/modulehost") and "/__pycache__" not in path
    }
    assert others == {"/etc/passwd", "/etc/group"}
    compiled = {path for path in changed if path.endswith(".pyc")}
    assert {path for path in changed if "/__pycache__" in path} - compiled <= {
        str(Path(path).parent) for path in compiled
    }


def files(root: Path) -> dict[str, tuple[int, object]]:
    """Every path with its mode and owner and, for a file, its size, for a link, where it leads."""
    found: dict[str, tuple[int, object]] = {}
    for folder, folders, names in os.walk(root):
        for name in (*folders, *names):
            path = Path(folder, name)
            status = path.lstat()
            content: object = status.st_uid
            if stat.S_ISLNK(status.st_mode):
                content = path.readlink()
            elif stat.S_ISREG(status.st_mode):
                content = status.st_size
            found[f"/{path.relative_to(root)}"] = (status.st_mode, content)
    return found


def test_nothing_of_this_machine_is_in_it(engine: Engine, example: str) -> None:
    """No path of the checkout, no name of the machine, no address of its package index."""
    words = [str(ROOT), str(Path.home() / "."), platform.node()]
    settings = (engine.wheels.parent / "pip.conf").read_text()
    words += re.findall(r"://([^/\s]+)", settings)
    names = [word.encode() for word in words if len(word) > len("/root")]
    with engine.mounted(example) as root:
        assert (root / "etc/pip.conf").read_bytes() == b""
        for path in (root / "opt/modulehost").rglob("*"):
            if path.is_file() and not path.is_symlink():
                content = path.read_bytes()
                assert not [name for name in names if name in content], path
        assert not list((root / "tmp").iterdir())


def test_everything_is_compiled(engine: Engine, example: str) -> None:
    """No process of the host compiles a module at its start, the standard library's included."""
    options = ("--rm", "--network=none", "--no-healthcheck", *HARDENED, "--entrypoint", "python")
    said = engine("run", *options, example, "-v", "-c", EVERYTHING).stderr
    compiled = re.findall(r"^# code object from '?(.*?)'?$", said, re.MULTILINE)
    assert [path for path in compiled if "modulehost/runner/__pycache__/loop" in path]
    assert [path for path in compiled if not path.endswith(".pyc")] == []


def test_the_command_imports_nothing_that_the_keeper_does_not_need(
    engine: Engine, base: str
) -> None:
    """pip's script for it is the short one: ``import re`` would cost half a start."""
    script = engine.output(base, "cat", "/opt/modulehost/bin/modulehost")
    assert re.findall(r"^(?:import|from) (\S+)", script, re.MULTILINE) == ["sys", "modulehost.cli"]


def test_the_versions_are_those_of_the_tests(engine: Engine, base: str) -> None:
    """What constraints.txt says is what is in the image."""
    pinned = set((ROOT / "constraints.txt").read_text().splitlines())
    there = set(engine.output(base, "pip", "list", "--format=freeze").splitlines())
    assert there - pinned == {f"modulehost=={modulehost.__version__}"}


def test_an_older_python_is_a_base_as_well(engine: Engine, start: StartContainer) -> None:
    """All that is supported: the same Dockerfile on another base, and a whole life."""
    base, image = "localhost/python:older", "localhost/modulehost-older"
    engine.import_base(base, OLDER)
    arguments = " ".join(engine.build_arguments).replace(f"BASE={BASE}", f"BASE={base}")
    engine.run(
        *("make", "image", "ENGINE=podman", "PLUGIN=example", f"IMAGE={image}"),
        f"IMAGE_ARGS={arguments}",
    )
    version = engine.output(image, "python", "--version").lower().replace(" ", "")
    assert version.startswith(f"{OLDER}.")
    module = start(image, *HARDENED, MODULE_IDLE=1)
    metadata = module.call("install").json
    module.wait_until_asleep()
    assert module.call("uninstall", metadata).status == 204
    assert module.stop() == 0


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=[str(n) for n in range(len(DOCKERFILES))])
def test_the_dockerfiles_of_the_documentation_work(
    engine: Engine, base: str, dockerfile: str
) -> None:
    """Each is built as it is printed, and its image has a plugin to serve and the base's user."""
    result = engine.build(dockerfile, "localhost/documented", ROOT / "plugins/example")
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    plugins = json.loads(engine.output("localhost/documented", "modulehost", "plugins", "--json"))
    selected = [plugin["name"] for plugin in plugins if plugin["selected"]]
    assert selected == [_expected(dockerfile)]
    assert engine.image("localhost/documented")["Config"]["User"] == "65532:65532"
    assert engine.output("localhost/documented", "ls", "-A", "/tmp") == ""


def _expected(dockerfile: str) -> str:
    for sign, plugin in (("=another", "another"), ("COPY", "example")):
        if sign in dockerfile:
            return plugin
    return "my-plugin"


@pytest.mark.parametrize("plugin", PLUGINS)
def test_every_plugin_of_the_repository_gets_an_image(
    engine: Engine, base: str, plugin: str
) -> None:
    """``make image PLUGIN=...`` is all that it takes, and the plugin can be used."""
    image = make_image(engine, plugin)
    listed = json.loads(engine.output(image, "modulehost", "plugins", "--json"))
    assert [(row["name"], row["problem"]) for row in listed if row["selected"]] == [(plugin, None)]


def test_a_plugin_of_the_index_is_baked_in_by_a_build_argument(engine: Engine, base: str) -> None:
    """PLUGIN is the name of a package where it is no folder of plugins/."""
    image = make_image(engine, "my-plugin")
    assert "*  my-plugin" in engine.output(image, "modulehost", "plugins")


def test_a_plugin_that_does_not_load_ends_the_build(engine: Engine, base: str) -> None:
    """Both ways to put it in; what is printed last tells the cure."""
    reason = "there is no hook unistall; did you mean uninstall?"
    derived = engine.build(
        "FROM modulehost\nRUN pip install broken-plugin && modulehost plugins\n", "localhost/broken"
    )
    assert derived.returncode != 0
    assert reason in derived.stdout + derived.stderr
    arguments = shlex.join(engine.build_arguments)
    baked = engine.run(
        "make", "image", "ENGINE=podman", "PLUGIN=broken-plugin", f"IMAGE_ARGS={arguments}",
        check=False,
    )  # fmt: skip
    assert baked.returncode != 0
    assert reason in baked.stdout + baked.stderr


def test_a_plugin_cannot_change_what_the_host_stands_on(engine: Engine, base: str) -> None:
    """One that needs another msgspec is not installed, and pip says what stands against what."""
    result = engine.build("FROM modulehost\nRUN pip install greedy-plugin\n", "localhost/greedy")
    assert result.returncode != 0
    said = result.stdout + result.stderr
    assert "greedy-plugin 1.0 depends on msgspec<0.1" in said
    assert "The user requested (constraint) msgspec==" in said


def test_the_parts_list_is_valid_and_whole(engine: Engine, example: str) -> None:
    """``make sbom`` writes CycloneDX 1.6 with all Python packages and those of the system."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    arguments = " ".join(engine.build_arguments)
    target = ROOT / "build/sbom.cdx.json"
    target.unlink(missing_ok=True)
    engine.run("make", "sbom", "ENGINE=podman", "PLUGIN=example", f"IMAGE_ARGS={arguments}")
    text = target.read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    parts = {part["purl"] for part in json.loads(text)["components"] if "purl" in part}
    frozen = engine.output(example, "pip", "list", "--format=freeze").lower().split()
    assert {f"pkg:pypi/{line.replace('==', '@').replace('_', '-')}" for line in frozen} <= parts
    libc = [purl for purl in parts if purl.startswith("pkg:deb/debian/libc6@")]
    assert len(libc) == 1
    release = engine.output(example, "cat", "/etc/os-release")
    [version] = re.findall(r'^VERSION_ID="?([\w.]+)', release, re.MULTILINE) or [SUITE]
    assert f"distro=debian-{version}" in libc[0]
