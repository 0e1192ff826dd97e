"""``modulehost local`` and the operator on a real API tell the same of each story."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cluster.images import MISSING
from cluster.local_world import LocalWorld
from cluster.steps import SHOP, Apply, IsGone, Reaches, TellsNothing
from cluster.stories import STORIES, Story
from cluster.world import World

PLAYABLE = [
    story
    for story in STORIES
    if not any(isinstance(step, Apply) and step.image == MISSING for step in story.steps)
]
"""Without images that cannot be pulled: ``modulehost local`` runs none."""

_SETTLED = (Reaches, TellsNothing, IsGone)
"""The steps after which nothing is on its way."""

_VARIES = re.compile(r"(?<=custom-manager-)\w{5}|(\d+m)?\d+(\.\d+)?s\b")
"""Generated names, and times as Go writes them."""


class Told(NamedTuple):
    """What somebody sees of a Module after a step."""

    step: str
    phase: str
    message: str
    metadata: dict[str, Any]
    kept: list[str]
    events: list[tuple[str, str]]


def play(world: World, story: Story) -> list[Told]:
    """Play a story, and look after each step that waits for something."""
    found = []
    for step in story.steps:
        try:
            step.play(world)
        except AssertionError as error:
            told = f"{world.module(SHOP)}\n{world.events(SHOP)}"
            error.add_note(f"{type(world).__name__}, in the step {step}:\n{told[:3000]}")
            raise
        if isinstance(step, _SETTLED):
            module = world.module(SHOP) or {}
            status = module.get("status", {})
            kept = world.kept(SHOP)
            found.append(
                Told(
                    repr(step)[:100],
                    status.get("phase", ""),
                    _VARIES.sub("…", status.get("message") or ""),
                    kept.get("innerMetaData", {}),
                    sorted(kept),
                    sorted((reason, _VARIES.sub("…", text)) for reason, text in world.events(SHOP)),
                )
            )
    return found


@pytest.mark.parametrize("level", ["fake-node"], indirect=True)
@pytest.mark.parametrize("story", PLAYABLE, ids=[story.tells for story in PLAYABLE])
def test_both_tell_the_same(world: World, story: Story, tmp_path: Path) -> None:
    """Phases, messages, events and what is stored, after each step."""
    of_the_operator = play(world, story)
    world.clean()
    local = LocalWorld(world, tmp_path)
    try:
        assert play(local, story) == of_the_operator
    finally:
        local.end()
