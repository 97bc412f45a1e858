"""What a flow tells a bridge."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from thespian.actors import ActorAddress

from actors.definition.hosting import HostPlan
from actors.definition.limits import HostLimits
from actors.definition.origin import Placed
from actors.definition.share import Share
from actors.state.tracing import Tracing


@dataclass(frozen=True, slots=True, kw_only=True)
class StartHost:
    """Start the host and load its modules; then HostLoaded or HostFailed. `folder` is for FIFOs and temp files.

    `members`: slot -> module actor, for every slot of the plan; `secrets`: as in HostUp; `barred`: as in BarFusing;
    `hold_fusing`: as after HoldFusing(on=True); `follower`: is told of every commit (bridge_to_follower.py);
    `tracing`: which messages are followed, the flow's.
    """

    flow: str
    plan: HostPlan
    command: tuple[str, ...]
    members: dict[int, ActorAddress]
    folder: Path
    sweeper: ActorAddress
    env: dict[str, str] = field(repr=False)
    secrets: dict[str, str] = field(repr=False)
    limits: HostLimits
    mute_sources: bool
    placed: Placed
    barred: frozenset[str] | None = frozenset()
    hold_fusing: bool = False
    follower: ActorAddress | None = None
    tracing: Tracing


@dataclass(frozen=True, slots=True, kw_only=True)
class AddMembers:
    """Load more modules (slot -> module id, slot -> actor) beside those that run; then HostLoaded or LoadFailed."""

    names: dict[int, str]
    members: dict[int, ActorAddress]
    secrets: dict[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetireModules:
    """Call `stop` of these slots (nothing is at the host for them) and have them loaded only; then ModulesRetired."""

    slots: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeModules:
    """Let exactly the plan's modules work: wire them, call `start` of those that do not yet; then ModulesStarted,
    StartFailed (a `start` raised; or the host died, and that is not to be `patient`ly tried again) or HostFailed.

    `share`: what they are a part of.
    """

    plan: HostPlan
    patient: bool
    share: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveMembers:
    """Unload these slots; then MembersRemoved."""

    slots: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldFusing:
    """While `on`, fuse nothing that is not fused (an update is under way); answered with FusingHeld if `on`."""

    on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BarFusing:
    """Fuse no wire into these modules (None: none at all); no slot of the host works. Answered with FusingBarred."""

    modules: frozenset[str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StopHost:
    """Call `stop` of the modules (recalled before) and end the host; then HostStopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePlan:
    """An input or output more."""

    plan: HostPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeHost:
    """Answer with HostDescribed, which has the same `request_id`."""

    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribePages:
    """Answer with PagesDescribed; no module works, and none is told of what pages say until ServeModules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptPages:
    """Go on with the sessions of pages that have been described elsewhere, or before."""

    sessions: tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowPageContexts:
    """Answer the client with the contexts of a browser module, {page: {key: value}}; of one `page`, if it is named."""

    request_id: str
    client: ActorAddress
    module: str
    page: str
