"""What the dispatcher tells the front of a deployment, which is in its process."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from actors.deployment.changes import Changes
    from actors.deployment.desired import DesiredState


class StartFront(Struct, frozen=True, kw_only=True):
    """Answer for these runners, each with the runtimes that it offers; `machines`: on which each is, if there are
    several. `relay` gives a runner a request, whose Reply and Progress come back; `desired` is the dispatcher's, too: a
    runner that comes gets what is there.

    `changes` starts a runner again in order, one that is new for the first time, and ends one for good; RunnerRestarted
    tells the end of it.
    """

    runners: dict[str, tuple[str, ...] | None]
    machines: dict[str, str]
    relay: Callable[[str, list[Any]], None]
    changes: Changes
    desired: DesiredState


class RunnerCame(Struct, frozen=True, kw_only=True):
    """It is there, with the flows that it is to have."""

    name: str
    pid: int
    incarnation: int


class RunnerWent(Struct, frozen=True, kw_only=True):
    """It is not there any more."""

    name: str


class RunnerSilent(Struct, frozen=True, kw_only=True):
    """It has not turned for some seconds; or, not `silent`, it turns again."""

    name: str
    silent: bool


class RunnerRestarted(Struct, frozen=True, kw_only=True):
    """It was to be started again in order, or to end, and that is over; `errors`: what could not be kept or started."""

    name: str
    errors: tuple[str, ...]
