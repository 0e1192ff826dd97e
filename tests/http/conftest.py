"""One host for the tests of a module, as long as they leave it as they found it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.host import Host, running
from support.processes import wait_until

pytest.register_assert_rewrite("support.wire")


@pytest.fixture(scope="module")
def shared_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host with the plugin ``good`` that never sleeps."""
    folder = tmp_path_factory.mktemp("shared")
    with running(folder, "good", MODULE_IDLE=0, MODULE_GRACE=0.5) as host:
        yield host


@pytest.fixture
def host(shared_host: Host) -> Iterator[Host]:
    """The module's host with nothing installed; the same worker must be well in the end."""
    assert shared_host.call("uninstall").status == 204
    # the answer is out a moment before the operation is over
    wait_until(lambda: shared_host.health().json["message"] == "Service is running", "idle")
    front = shared_host.front
    yield shared_host
    wait_until(lambda: shared_host.health().status == 200, "well")  # or a process is replaced
    assert shared_host.front == front
    assert not [event for event in shared_host.events() if "exception" in event]
