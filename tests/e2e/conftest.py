"""An engine and the images, made once. A machine that cannot tests the rest, and says so."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from e2e import containers, debian, go_module, packages
from e2e.containers import Container, Engine

StartContainer = Callable[..., Container]


CRD = containers.ROOT.parent / "shared/forkspacer/crd-modules.yaml"


def left_out() -> dict[str, str]:
    """What cannot be tested on this machine, in a sentence, by the fixture that it would need."""
    found = {}
    if reason := debian.why_not():
        found["engine"] = f"No image was built and no container was run: {reason}."
        if not shutil.which("zsh"):
            found["zsh"] = "The completion of zsh was not tested: there is no zsh."
    if not CRD.exists():
        path = f"../{CRD.relative_to(containers.ROOT.parent)}"
        found["crd"] = f"No Module was validated: the operator's CRD is not in {path}."
    if reason := go_module.why_not():
        found["go_server"] = f"The document's Go server was not checked: {reason}."
    return found


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what cannot be tested here."""
    fixtures = left_out().keys()
    out = [item for item in items if fixtures & set(getattr(item, "fixturenames", ()))]
    config.hook.pytest_deselected(items=out)
    items[:] = [item for item in items if item not in out]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was left out, and why: a line each."""
    for line in left_out().values():
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def crd() -> dict[str, Any]:
    """The operator's definition of a Module, which is not ours to carry."""
    document: dict[str, Any] = yaml.safe_load(CRD.read_text())
    return document


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """Podman, and wheels of plugins for its builds."""
    with containers.engine() as engine:
        packages.make_wheel(engine.wheels, "my-plugin", "good", "modulehost")
        packages.make_wheel(engine.wheels, "another-plugin", "obedient", name="another")
        packages.make_wheel(engine.wheels, "broken-plugin", "misspelt_hook")
        packages.make_wheel(engine.wheels, "greedy-plugin", "good", "msgspec<0.1")
        yield engine


def make_image(engine: Engine, plugin: str = "") -> str:
    """``make image``; the image's name."""
    arguments = " ".join(engine.build_arguments)
    engine.run("make", "image", "ENGINE=podman", f"PLUGIN={plugin}", f"IMAGE_ARGS={arguments}")
    return f"localhost/modulehost-{plugin}" if plugin else "localhost/modulehost"


@pytest.fixture(scope="session")
def base(engine: Engine) -> str:
    """The image with the host alone."""
    return make_image(engine)


@pytest.fixture(scope="session")
def example(engine: Engine, base: str) -> str:
    """The image with the example; it shares the layers of ``base``."""
    return make_image(engine, "example")


@pytest.fixture
def start(engine: Engine) -> Iterator[StartContainer]:
    """Start containers: ``start(image, *options, MODULE_IDLE=1)``; they are gone afterwards."""
    with contextlib.ExitStack() as stack:

        def begin(image: str, *options: str, **settings: object) -> Container:
            return stack.enter_context(Container(engine, image, *options, **settings))

        yield begin
