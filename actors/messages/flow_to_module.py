"""What a flow tells a module."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct, field
from thespian.actors import ActorAddress

from actors.definition.model import Module
from actors.definition.origin import Placed

if TYPE_CHECKING:
    from actors.definition.hosting import WireIn
    from actors.journal.gathering import Gathering
    from actors.state.activity import Activity
    from actors.state.condition import Breakpoint
    from actors.state.module import ModuleState


class ConfigureModule(Struct, frozen=True, kw_only=True):
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


class StopModule(Struct, frozen=True, kw_only=True):
    """Send nothing more to the host and have nothing there; then ModuleStopped."""

    reason: str


class GoOn(Struct, frozen=True, kw_only=True):
    """Withdraw a StopModule or a Quiesce of the same `reason`; others still hold."""

    reason: str


class AddTarget(Struct, frozen=True, kw_only=True):
    """Deliver what leaves `port` to `target` too (a sink or a tap); with `target` None, no more."""

    port: str
    target: ActorAddress | None
    wire: str


class AddFeeder(Struct, frozen=True, kw_only=True):
    """`feeder` may deliver on the wire `wire` from now on; None: nobody who could be held back. `info`: None if the
    module knows the wire already: it comes from a module that is elsewhere.
    """

    wire: str
    info: WireIn | None
    feeder: ActorAddress | None


class DescribeModule(Struct, frozen=True, kw_only=True):
    """Answer with ModuleDescribed, which has the same `request_id`."""

    request_id: str


class Quiesce(Struct, frozen=True, kw_only=True):
    """For an update: hold every input wire but `wires` (None: hold none), and run those dry. GoOn("update") ends it."""

    wires: frozenset[str] | None


class AskDry(Struct, frozen=True, kw_only=True):
    """Answer with ModuleDry as soon as nothing is left on the wires that run dry."""


class AskOldest(Struct, frozen=True, kw_only=True):
    """Answer with OldestTold. To a module, or to the sending end of a wire."""

    number: int


class DescribeContext(Struct, frozen=True, kw_only=True):
    """Answer with ContextDescribed: the context as of the last commit."""


class DescribeRecent(Struct, frozen=True, kw_only=True):
    """Answer with RecentDescribed: the messages that were handled last."""


class WitnessTurns(Struct, frozen=True, kw_only=True):
    """Tell `shadow` the context, then what each commit has consumed, after it got what that has sent; None: no more."""

    shadow: ActorAddress | None


class DescribeState(Struct, frozen=True, kw_only=True):
    """At a quiet point: answer with StateDescribed. `moves`: the module is stopped, and its state is about to go to
    another runner: until GoOn("update") or the end nobody changes it.
    """

    moves: bool


class HandOver(Struct, frozen=True, kw_only=True):
    """At a quiet point: answer with ModuleHandedOver. What the host still says of this module is ignored after it."""


class TakeOver(Struct, frozen=True, kw_only=True):
    """Go on from the state of the module's other version; `context`, if there is one, replaces its context."""

    state: ModuleState
    numbers: dict[str, int]
    context: dict[bytes, bytes] | None
    ends: Rewire


class Rewire(Struct, frozen=True, kw_only=True):
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


class SetBreakpoint(Struct, frozen=True, kw_only=True):
    """Test every message before it is handled; None: no more."""

    breakpoint: Breakpoint | None


class TakeStep(Struct, frozen=True, kw_only=True):
    """While stopped for "debug": handle the oldest message, pull a source once; then StepTaken with this `wave`."""

    wave: int


class ShowContext(Struct, frozen=True, kw_only=True):
    """Answer `client`: the context as of the last commit."""

    request_id: str
    client: ActorAddress


class DescribeHeld(Struct, frozen=True, kw_only=True):
    """Answer with HeldDescribed: the messages that wait, the oldest first, a limited number."""


class ChangeHeld(Struct, frozen=True, kw_only=True):
    """Give a waiting message another encoded body, drop it (None), or let it go (`release`); answer `client`."""

    request_id: str
    client: ActorAddress
    wire: str
    number: int
    body: bytes | None = None
    release: bool = False


class SubmitMessage(Struct, frozen=True, kw_only=True):
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
