"""What is wrong with versions and migrations is told when the plugin is loaded."""

from __future__ import annotations

from typing import Any

import pytest

from modulehost.plugin.versions import problems


def change(metadata: dict[str, Any]) -> None:
    """A migration."""


class Manager:
    """Has these two attributes."""

    def __init__(self, version: object, migrations: object) -> None:
        self.metadata_version = version
        self.migrations = migrations


@pytest.mark.parametrize(
    ("version", "migrations"), [(1, {}), (2, {1: change}), (3, {1: change, 2: print})]
)
def test_each_version_has_its_way(version: int, migrations: Any) -> None:
    """Then nothing is wrong."""
    assert list(problems(Manager(version, migrations))) == []


@pytest.mark.parametrize(
    ("version", "migrations", "words"),
    [
        (0, {}, ["metadata_version is not an integer from 1 on"]),
        (True, {}, ["metadata_version is not an integer from 1 on"]),
        ("3", {}, ["metadata_version is not an integer from 1 on"]),
        (2, [change], ["migrations is not a dict from version to function"]),
        (2, {1: "change"}, ["migrations is not a dict from version to function"]),
        (
            4,
            {2: change},
            ["version 1 has no way to 2; add 1: to migrations", "version 3 has no way to 4"],
        ),
        (2, {1: change, 2: change}, ["migrations has 2, which leads nowhere"]),
        (2, {1: change, "1": change}, ["migrations has '1', which leads nowhere"]),
        (1, {0: change}, ["migrations has 0, which leads nowhere"]),
    ],
)
def test_what_is_wrong_is_told_with_the_cure(
    version: object, migrations: object, words: list[str]
) -> None:
    """Every version that nobody can leave, every function that nobody calls."""
    told = list(problems(Manager(version, migrations)))
    assert len(told) == len(words)
    for problem, word in zip(told, words, strict=True):
        assert word in problem
