"""What libraries log through the standard library, whenever that is imported."""

from __future__ import annotations

import pytest
from support.host import StartHost

SET_UP = [
    "import", "basicConfig", "basicConfig with force", "a handler of its own",
    "a handler for nothing", "dictConfig",
]  # fmt: skip


@pytest.mark.parametrize("how", SET_UP)
def test_each_record_is_one_line_with_all_it_has(start_host: StartHost, how: str) -> None:
    """Level, logger, traceback and the operation; however the plugin has set up its logging."""
    host = start_host("logs_late", MODULE_LOG_LEVEL="debug")
    reply = host.call("install", {"do": how}, **{"X-Request-Id": "abc-4"})
    assert (reply.status, reply.json["imported"]) == (201, False)
    levels = {"said 1": "info", "between": "warning", "failed": "error", "from a thread": "warning"}
    for event, level in levels.items():
        line = host.wait_for(event)
        assert line["level"] == level
        assert line["logger"] == "library.part"
        assert (line["operation"], line["plugin"], line["request_id"]) == (
            "install", "logs_late", "abc-4",
        )  # fmt: skip
    assert "ValueError: the cause" in host.events("failed")[0]["exception"]
    host.health()
    assert host.wait_for("looked")["operation"] == "health"
    events = [line["event"] for line in host.events() if "logger" in line or "stream" in line]
    assert sorted(events) == sorted([*levels, "looked"])


def test_a_plugin_without_it_does_not_pay_for_it(start_host: StartHost) -> None:
    """The host imports it for nobody."""
    host = start_host("logs_late")
    assert host.call("install", {"do": "nothing"}).json["imported"] is False
