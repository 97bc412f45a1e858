"""What the runner tells a bridge."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from thespian.actors import ActorAddress

from actors.flows.hosting import HostPlan
from runtimes.manifest import Runtime


@dataclass(frozen=True, slots=True, kw_only=True)
class StartHost:
    """Start the host and load its modules; then HostLoaded or HostFailed. `folder` is for FIFOs and temp files."""

    flow: str
    plan: HostPlan
    runtime: Runtime
    members: tuple[ActorAddress, ...]
    folder: Path
    env: dict[str, str]
    mute_sources: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StartModules:
    """Wire the modules and call their `start`; then ModulesStarted or HostFailed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopHost:
    """Call `stop` of the modules (recalled before) and end the host; then HostStopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePlan:
    """An input or output more; `slot` is the one that it concerns."""

    plan: HostPlan
    slot: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeHost:
    """Answer with HostDescribed."""

    request_id: str
