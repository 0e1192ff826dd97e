"""The stories of ``stories.py``, on both levels."""

from __future__ import annotations

import pytest
from cluster.stories import STORIES, Story
from cluster.world import World


@pytest.mark.parametrize("story", STORIES, ids=[story.tells for story in STORIES])
def test_it_comes_as_told(world: World, story: Story) -> None:
    """Each step, and at the end nothing is left."""
    try:
        for step in story.steps:
            step.play(world)
        assert world.things() == {}
        if not story.leaves:
            world.until("pods and Services have gone", lambda: not world.pods(), 40)
    except AssertionError as error:
        error.add_note(f"in the step {step}\n{world.told()}")
        raise
