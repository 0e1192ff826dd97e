"""Whatever happens in whatever order, files and metadata tell the same story."""

from __future__ import annotations

import shutil
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modulehost import Cancelled, ModuleError

if TYPE_CHECKING:
    from .conftest import MakeModule, Module

REPLICAS = 3
DEPLOYMENT, SERVICE = "default/my-app-deployment.json", "default/my-app-service.json"

steps = st.one_of(
    st.tuples(st.sampled_from(["install", "uninstall", "sleep", "resume"]), st.none()),
    st.tuples(st.sampled_from(["cut install", "cut uninstall"]), st.integers(1, 2)),
    st.tuples(st.just("lose"), st.sampled_from([DEPLOYMENT, SERVICE])),
    st.tuples(st.just("scale"), st.integers(0, 12)),
)


class Expected:
    """What there ought to be after each step, without files and without metadata."""

    def __init__(self) -> None:
        self.recorded = False
        self.replicas: int | None = None
        self.service = False
        self.remembered: int | None = None

    @property
    def scalable(self) -> bool:
        """Whether sleep and resume can succeed."""
        return self.recorded and self.replicas is not None

    def install(self, cut: int | None = None) -> None:
        """Cut at 1 nothing happens, cut at 2 the service is not reached."""
        if cut != 1:
            self.recorded = True
            self.replicas = 0 if self.remembered else REPLICAS
            self.service = self.service or cut is None

    def uninstall(self, cut: int | None = None) -> None:
        """Cut at 1 nothing happens, cut at 2 the deployment is not reached."""
        if cut != 1 and self.recorded:
            self.service = False
        if cut is None:
            self.__init__()  # type: ignore[misc]

    def sleep(self) -> None:
        """Remember the number, unless it is 0."""
        if self.scalable:
            self.remembered, self.replicas = self.replicas or self.remembered, 0

    def resume(self) -> None:
        """Restore the number if there is none."""
        if self.scalable:
            self.replicas = self.replicas or self.remembered or REPLICAS
            self.remembered = None

    def lose(self, file: str) -> None:
        """Somebody removes a file."""
        if file == DEPLOYMENT:
            self.replicas = None
        else:
            self.service = False

    def scale(self, replicas: int) -> None:
        """Somebody scales the deployment by hand, if there is one."""
        if self.replicas is not None:
            self.replicas = replicas


def perform(module: Module, expected: Expected, action: str, value: Any) -> None:
    """Do one step, in the files and in what is expected of them."""
    if action == "lose":
        (module.directory / value).unlink(missing_ok=True)
        expected.lose(value)
    elif action == "scale":
        if DEPLOYMENT in module.files():
            deployment = module.manager.store.deployment("default", "my-app-deployment")
            deployment.replicas = value
            module.manager.store.apply(deployment)
        expected.scale(value)
    elif action.startswith("cut"):
        operation = action.removeprefix("cut ")
        with pytest.raises(Cancelled):
            module.call(operation, cancelled_at=value)
        getattr(expected, operation)(value)
    else:
        refused = action in ("sleep", "resume") and not expected.scalable
        with pytest.raises(ModuleError) if refused else nullcontext():
            module.call(action)
        getattr(expected, action)()


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(story=st.lists(steps, max_size=12))
def test_files_and_metadata_agree_after_every_step(
    make_module: MakeModule, story: list[tuple[str, Any]]
) -> None:
    """Resume restores the number, uninstall leaves nothing, and no order of calls breaks either."""
    module, expected = make_module(replicas=REPLICAS), Expected()
    shutil.rmtree(module.directory, ignore_errors=True)
    for action, value in story:
        perform(module, expected, action, value)
        files = module.files()
        assert set(files) == {
            *([DEPLOYMENT] if expected.replicas is not None else []),
            *([SERVICE] if expected.service else []),
        }
        assert files.get(DEPLOYMENT, {}).get("replicas") == expected.replicas
        assert module.metadata.get("replicasBeforeSleep") == expected.remembered
        assert bool(module.metadata) == expected.recorded
