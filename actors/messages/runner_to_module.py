"""What the runner tells a module."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from thespian.actors import ActorAddress

from actors.flows.model import Module

if TYPE_CHECKING:
    from actors.gauge import Gauge
    from actors.module_state import ModuleState, WireIn


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigureModule:
    """Everything a new module actor is; `state` is taken over from the actor it replaces, if any.

    `feeders`: wire -> the actor that sends on it; `targets`: port -> (actor, wire) in file order;
    `numbers`: port -> the next number of its wires, taken over as well.
    """

    flow: str
    module: Module
    max_turn_bytes: int
    slot: int
    wires_in: dict[str, WireIn]
    feeders: dict[str, ActorAddress]
    targets: dict[str, list[tuple[ActorAddress, str]]]
    bridge: ActorAddress
    gauge: Gauge
    state: ModuleState | None
    numbers: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class StopModule:
    """Send nothing more to the host and have nothing there; then ModuleStopped."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GoOn:
    """Withdraw a StopModule."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AddTarget:
    """Deliver what leaves `port` to `target` too (a sink or a tap); with `target` None, no more."""

    port: str
    target: ActorAddress | None
    wire: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AddFeeder:
    """`feeder` may deliver on the wire `wire` from now on; None: nobody who could be held back."""

    wire: str
    info: WireIn
    feeder: ActorAddress | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeModule:
    """Answer with ModuleDescribed."""

    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOver:
    """At a quiet point: answer with ModuleHandedOver and exit; the state goes to the successor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitMessage:
    """One message from the API; the module answers `client` itself: accepted, or its mailbox is full."""

    request_id: str
    client: ActorAddress
    wire: str
    body: bytes
    flags: int
    number: int
