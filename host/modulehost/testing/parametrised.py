"""The conformance suite as tests: ``test_conformance = conformance()``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from modulehost.testing.contract import CHECKS, Check, unknown
from modulehost.testing.kill_check import Leftovers


def conformance(
    *,
    config: Mapping[str, Any] | None = None,
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    leftovers: Leftovers | str | None = None,
    **settings: object,
) -> Callable[..., None]:
    """A test of each check that ``modulehost check`` does, for the plugin under test.

    ``config`` is what the operator would mount as ``config.json``; ``settings`` are environment
    variables of the hosts; ``only`` and ``skip`` are ids of checks. ``leftovers`` is a function,
    or ``"MODULE:FUNCTION"``, that is given the config, with its defaults, and names what the plugin
    has made and not removed.
    """
    unknown(*only, *skip)
    chosen = [c for c in CHECKS if c.id not in skip and (not only or c.id in only)]
    if not chosen:
        raise ValueError("no check is left: what is never checked is not kept")
    given = dict(config or {})

    @pytest.mark.parametrize("check", chosen, ids=[check.id for check in chosen])
    def test_conformance(check: Check, modulehost_checks: Any) -> None:
        """The contract is kept."""
        __tracebackhide__ = True
        result = modulehost_checks(given, settings, leftovers).run(check)
        if result.outcome == "skipped":
            pytest.skip(result.reason)
        if result.outcome == "failed":
            pytest.fail(
                f"{check.id}: {result.reason}\nthe contract: {check.says} ({check.source})",
                pytrace=False,
            )

    made: Callable[..., None] = test_conformance
    return made
