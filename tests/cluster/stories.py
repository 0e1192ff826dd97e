"""The stories: what happens to a module in a cluster, and what must come of it.

Every one is played on both levels, and by the stand-in or the real operator. At the end of each
nothing is left in the cluster that the module had made, and no pod but what the story names.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from cluster.images import MISSING, SLEEPER
from cluster.steps import (
    Apply,
    CallByHand,
    Delete,
    DeletePod,
    ForgetPod,
    GiveUp,
    Has,
    Hibernate,
    IsAsleep,
    IsCalled,
    IsGone,
    Keeps,
    KillOperator,
    LeavesPod,
    LoseAnswer,
    Reaches,
    Step,
    Tells,
    TellsNothing,
    WasGiven,
)

_REASON = "the database refuses us"
_HALF = {"things": ["shop-database"], "state": None}
_WHOLE = {"things": ["shop-database", "shop-web"], "state": "awake"}
_NO_ANSWER = "custom module {} endpoint returned error: "


class Story(NamedTuple):
    """A story; ``leaves`` says whether the operator leaves a pod or a Service behind."""

    tells: str
    steps: tuple[Step, ...]
    leaves: bool = False


STORIES: Final = (
    Story(
        "a whole life with config and defaults",
        (
            Apply(config={"replicas": 3}),
            Reaches("ready", "Module installed successfully"),
            Keeps({"app": "shop", "replicas": 3, **_WHOLE}),
            Has("awake"),
            Hibernate(),
            Reaches("sleeped"),
            Keeps({"state": "asleep"}),
            Has("asleep"),
            Hibernate(False),
            Reaches("ready"),
            Has("awake"),
            TellsNothing(),
            Delete(),
            IsGone(),
        ),
    ),
    Story(
        "created asleep it is installed, then put to sleep; replicas has its default",
        (
            Apply(hibernated=True),
            Reaches("sleeped"),
            Keeps({"replicas": 1, "state": "asleep"}),
            Delete(),
            IsGone(),
        ),
    ),
    Story(
        "a value that the definition refuses never reaches a pod",
        (
            Apply(config={"replicas": 30}),
            Reaches("failed", "Check events"),
            Tells("InstallError", "failed to render Custom spec: failed to validate integer"),
            Delete(),
            IsGone(),
        ),
    ),
    Story(
        "install fails; deletion removes what it had made, which only the journal knows",
        (
            Apply("install=fail"),
            Reaches("failed", "Module installation failed. Check events for more information."),
            Tells("InstallError", f"{_NO_ANSWER.format('install')}{_REASON}"),
            Keeps({"things": None}),
            Has("awake"),
            Delete(),
            IsGone(),
            WasGiven("uninstall", _HALF),
        ),
    ),
    Story(
        "the plugin's process dies in install; the pod lives on, and deletion cleans up",
        (
            Apply("install=die"),
            Reaches("failed"),
            Tells("InstallError", "the plugin's process died during install"),
            Delete(),
            IsGone(),
            WasGiven("uninstall", _HALF),
        ),
    ),
    Story(
        "uninstall fails: the Module goes, its pod stays, and a call inside it cleans up",
        (
            Apply("uninstall=fail"),
            Reaches("ready"),
            Delete(),
            IsGone(),
            Tells("UninstallError", f"{_NO_ANSWER.format('uninstall')}{_REASON}"),
            Tells("UninstallError", "Finalizer will be removed to allow deletion."),
            LeavesPod(),
            Has("awake"),
            CallByHand("uninstall"),
        ),
        leaves=True,
    ),
    Story(
        "sleep fails: stuck, then failed; deletion knows how far it came",
        (
            Apply("sleep=fail"),
            Reaches("ready"),
            Hibernate(),
            Tells("SleepError", f"{_NO_ANSWER.format('sleep')}{_REASON}"),
            Reaches("failed", "Timed out in sleeping phase after "),
            Tells("PhaseTimeout", "Module stuck in sleeping phase for "),
            Keeps({"state": "awake"}),
            Delete(),
            IsGone(),
            WasGiven("uninstall", {"state": "asleep"}),
        ),
    ),
    Story(
        "the operator is killed in a call: the call is cancelled, deletion cleans up",
        (
            Apply("install=wait"),
            IsCalled("install"),
            KillOperator(),
            Reaches("failed", "Timed out in installing phase"),
            Delete(),
            IsGone(),
            WasGiven("uninstall", _HALF),
        ),
    ),
    Story(
        "an answer is lost: the next call is given what it said",
        (
            Apply("sleep=hold"),
            Reaches("ready"),
            Hibernate(),
            IsCalled("sleep"),
            LoseAnswer(),
            Keeps({"state": "awake"}),
            Reaches("failed", "Timed out in sleeping phase"),
            Delete(),
            IsGone(),
            WasGiven("uninstall", {"state": "asleep"}),
        ),
    ),
    Story(
        "a Module that is deleted in a passing phase hangs until somebody has it fail",
        (
            Apply("sleep=fail"),
            Reaches("ready"),
            Hibernate(),
            Tells("SleepError", _REASON),
            Delete(),
            Reaches("sleeping"),
            GiveUp(),
            IsGone(),
        ),
    ),
    Story(
        "metadata near the limit lives through everything",
        (
            Apply("install=large=190000"),
            Reaches("ready"),
            Keeps({"ballast": "x" * 190_000}),
            Hibernate(),
            Reaches("sleeped"),
            Hibernate(False),
            Reaches("ready"),
            Delete(),
            IsGone(),
            WasGiven("uninstall", {"ballast": "x" * 190_000}),
        ),
    ),
    Story(
        "beside a large last-applied annotation nothing is stored, and the journal has it all",
        (
            Apply("install=large=190000", last_applied=80_000),
            Reaches("ready"),
            Keeps({"ballast": None}),
            TellsNothing(),
            Delete(),
            IsGone(),
            WasGiven("uninstall", {"ballast": "x" * 190_000}),
        ),
    ),
    Story(
        "metadata past the limit is refused in install",
        (
            Apply("install=large=250000"),
            Reaches("failed"),
            Tells("InstallError", "metadata"),
            Delete(),
            IsGone(),
            WasGiven("uninstall", {"app": "shop"}),
        ),
    ),
    Story(
        "a checkpoint past the limit holds up no uninstall",
        (
            Apply("uninstall=large=300000"),
            Reaches("ready"),
            Delete(),
            IsGone(),
            TellsNothing(),
        ),
    ),
    Story(
        "asleep between calls: each call wakes the host, and nothing is forgotten",
        (
            Apply("sleep=fail", image=SLEEPER),
            Reaches("ready"),
            KillOperator(),  # and with it its idle connection
            IsAsleep(),
            Hibernate(),
            Tells("SleepError", _REASON),
            Reaches("failed"),
            KillOperator(),
            IsAsleep(),
            Delete(),
            IsGone(),
            WasGiven("uninstall", {"state": "asleep"}),
        ),
    ),
    Story(
        "a pod deleted by hand: calls fail, until both names are taken out of the annotation",
        (
            Apply(),
            Reaches("ready"),
            DeletePod(),
            Hibernate(),
            Tells("SleepError", "did not become ready within 30 seconds"),
            Reaches("failed"),
            ForgetPod(),
            Delete(),
            IsGone(),
            WasGiven("uninstall", {"state": "awake"}),
        ),
    ),
    Story(
        "an image that cannot be pulled fails the Module, and its deletion",
        (
            Apply(image=MISSING),
            Reaches("failed"),
            Tells("InstallError", "failed to pull image for custom module runner pod"),
            Delete(),
            IsGone(),
            Tells("UninstallError", "failed to install Custom module: "),
        ),
    ),
)
