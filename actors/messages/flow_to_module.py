"""What a flow tells a module."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from thespian.actors import ActorAddress

from actors.definition.model import Module
from actors.definition.origin import Placed

if TYPE_CHECKING:
    from actors.definition.hosting import WireIn
    from actors.journal.gathering import Gathering
    from actors.state.activity import Activity
    from actors.state.condition import Breakpoint
    from actors.state.module import ModuleState


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigureModule:
    """Everything a new module actor is; `state` is taken over from the actor it replaces, if any.

    `feeders`: wire -> the actor that sends on it; `targets`: port -> (actor, wire) in file order;
    `numbers`: port -> the next number of its wires, taken over as well; `unit`: its name in a build;
    `journal`: where it writes what it does, if the flow is durable.
    """

    flow: str
    module: Module
    max_turn_bytes: int
    slot: int
    wires_in: dict[str, WireIn]
    feeders: dict[str, ActorAddress]
    targets: dict[str, list[tuple[ActorAddress, str]]]
    bridge: ActorAddress
    activity: Activity
    state: ModuleState | None
    numbers: dict[str, int]
    placed: Placed
    unit: str | None = None
    journal: Gathering | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StopModule:
    """Send nothing more to the host and have nothing there; then ModuleStopped."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GoOn:
    """Withdraw a StopModule or a Quiesce of the same `reason`; others still hold."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AddTarget:
    """Deliver what leaves `port` to `target` too (a sink or a tap); with `target` None, no more."""

    port: str
    target: ActorAddress | None
    wire: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AddFeeder:
    """`feeder` may deliver on the wire `wire` from now on; None: nobody who could be held back. `info`: None if the
    module knows the wire already: it comes from a module that is elsewhere.
    """

    wire: str
    info: WireIn | None
    feeder: ActorAddress | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeModule:
    """Answer with ModuleDescribed, which has the same `request_id`."""

    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiesce:
    """For an update: hold every input wire but `wires` (None: hold none), and run those dry. GoOn("update") ends it."""

    wires: frozenset[str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AskDry:
    """Answer with ModuleDry as soon as nothing is left on the wires that run dry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskOldest:
    """Answer with OldestTold. To a module, or to the sending end of a wire."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeContext:
    """Answer with ContextDescribed: the context as of the last commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeRecent:
    """Answer with RecentDescribed: the messages that were handled last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessTurns:
    """Tell `shadow` the context, then what each commit has consumed, after it got what that has sent; None: no more."""

    shadow: ActorAddress | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeState:
    """At a quiet point: answer with StateDescribed. `moves`: the module is stopped, and its state is about to go to
    another runner: until GoOn("update") or the end nobody changes it.
    """

    moves: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOver:
    """At a quiet point: answer with ModuleHandedOver. What the host still says of this module is ignored after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeOver:
    """Go on from the state of the module's other version; `context`, if there is one, replaces its context."""

    state: ModuleState
    numbers: dict[str, int]
    context: dict[bytes, bytes] | None
    ends: Rewire


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewire:
    """Other wires, or other actors at their ends; the tables are as in ConfigureModule.

    Waiting messages of the wires `drop` become dead letters. `provisional`: until GoOn("update") nothing of what the
    module's host commits is applied; a HandOver drops it. `kept_before`: which wires the journal kept, if that changes.
    `least`: port -> the next number of its wires, if that is not higher already.
    """

    wires_in: dict[str, WireIn]
    feeders: dict[str, ActorAddress]
    targets: dict[str, list[tuple[ActorAddress, str]]]
    drop: frozenset[str]
    provisional: bool = False
    kept_before: Mapping[str, bool] | None = None
    least: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetBreakpoint:
    """Test every message before it is handled; None: no more."""

    breakpoint: Breakpoint | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeStep:
    """While stopped for "debug": handle the oldest message, pull a source once; then StepTaken with this `wave`."""

    wave: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowContext:
    """Answer `client`: the context as of the last commit."""

    request_id: str
    client: ActorAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeHeld:
    """Answer with HeldDescribed: the messages that wait, the oldest first, a limited number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeHeld:
    """Give a waiting message another encoded body, drop it (None), or let it go (`release`); answer `client`."""

    request_id: str
    client: ActorAddress
    wire: str
    number: int
    body: bytes | None = None
    release: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitMessage:
    """Messages from the API, of which `number` is the first; the module answers `client` itself: accepted, or its
    mailbox is full.

    `replay`: what it takes is one with what the flow has noted before; `client` is the flow.
    `entered` is called when they are accepted.
    """

    request_id: str
    client: ActorAddress
    wire: str
    body: bytes
    flags: int
    number: int
    count: int = 1
    replay: bool = False
    entered: Callable[[], None]
