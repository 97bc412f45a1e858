"""What a flow tells a bridge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec import Struct
from thespian.actors import ActorAddress

from actors.definition.hosting import HostPlan
from actors.definition.limits import HostLimits
from actors.definition.origin import Placed
from actors.definition.share import Share
from actors.messages.secretive import Secretive
from actors.state.tracing import Tracing


class StartHost(Secretive, frozen=True, kw_only=True):
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
    env: dict[str, str]
    secrets: dict[str, str]
    limits: HostLimits
    mute_sources: bool
    placed: Placed
    barred: frozenset[str] | None = frozenset()
    hold_fusing: bool = False
    follower: ActorAddress | None = None
    tracing: Tracing


class AddMembers(Secretive, frozen=True, kw_only=True):
    """Load more modules (slot -> module id, slot -> actor) beside those that run; then HostLoaded or LoadFailed."""

    names: dict[int, str]
    members: dict[int, ActorAddress]
    secrets: dict[str, str]


class RetireModules(Struct, frozen=True, kw_only=True):
    """Call `stop` of these slots (nothing is at the host for them) and have them loaded only; then ModulesRetired."""

    slots: frozenset[int]


class ServeModules(Struct, frozen=True, kw_only=True):
    """Let exactly the plan's modules work: wire them, call `start` of those that do not yet; then ModulesStarted,
    StartFailed (a `start` raised; or the host died, and that is not to be `patient`ly tried again) or HostFailed.

    `share`: what they are a part of; `units`: module -> the environment of its packages, of modules for pages.
    """

    plan: HostPlan
    patient: bool
    share: Share
    units: dict[str, str]


class RemoveMembers(Struct, frozen=True, kw_only=True):
    """Unload these slots; then MembersRemoved."""

    slots: frozenset[int]


class HoldFusing(Struct, frozen=True, kw_only=True):
    """While `on`, fuse nothing that is not fused (an update is under way); answered with FusingHeld if `on`."""

    on: bool


class BarFusing(Struct, frozen=True, kw_only=True):
    """Fuse no wire into these modules (None: none at all); no slot of the host works. Answered with FusingBarred."""

    modules: frozenset[str] | None


class StopHost(Struct, frozen=True, kw_only=True):
    """Call `stop` of the modules (recalled before) and end the host; then HostStopped."""


class ChangePlan(Struct, frozen=True, kw_only=True):
    """An input or output more."""

    plan: HostPlan


class DescribeHost(Struct, frozen=True, kw_only=True):
    """Answer with HostDescribed, which has the same `request_id`."""

    request_id: str


class DescribePages(Struct, frozen=True, kw_only=True):
    """Answer with PagesDescribed; no module works, and none is told of what pages say until ServeModules."""


class AdoptPages(Struct, frozen=True, kw_only=True):
    """Go on with the sessions of pages that have been described elsewhere, or before."""

    sessions: tuple[Any, ...]


class ShowPageContexts(Struct, frozen=True, kw_only=True):
    """Answer the client with the contexts of a browser module, {page: {key: value}}; of one `page`, if it is named."""

    request_id: str
    client: ActorAddress
    module: str
    page: str
