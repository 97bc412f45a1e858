"""What the links of a runner are told: peers and the listener by the router, the ends of wires by their flow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from thespian.actors import ActorAddress

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.definition.deliveries import Delivery
    from actors.journal.gathering import Gathering
    from actors.links.connection import Connection
    from actors.links.crossed import Incoming, Outgoing
    from actors.links.keys import Contexts
    from actors.messages.owner_to_runner import Place
    from actors.state.activity import Activity


@dataclass(frozen=True, slots=True, kw_only=True)
class StartPeer:
    """Be the link of `runner` (this one, in its `incarnation`) to `peer`. Told to the sender: PeerFound, PeerLost."""

    runner: str
    incarnation: int
    peer: str
    contexts: Contexts


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerAt:
    """Where the other runner listens, or None: nobody knows. Which of the two connects, the names say."""

    place: Place | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeLink:
    """Answer with LinkDescribed, which has the same `round`; the router: with LinksDescribed."""

    round: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeConnection:
    """Of the listener: a runner with the peer's certificate has connected."""

    connection: Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class StartListener:
    """Listen there (port 0: any); answered with Listening. Runners that `peers` does not name are refused."""

    place: Place
    contexts: Contexts
    peers: dict[str, ActorAddress]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePeers:
    """These are the peers now."""

    peers: dict[str, ActorAddress]


@dataclass(frozen=True, slots=True, kw_only=True)
class StartSending:
    """Be the sending end of a wire of `flow` to `runner`. `new_epoch` is asked when the numbers of the wire begin anew;
    `journal`: what the module sends is written there, and may leave when it is durable; `before`: go on from there.

    As a sink it is Attached to the module here; `owner` is told when the flow has nothing under way.
    """

    flow: str
    wire: str
    runner: str
    delivery: Delivery
    new_epoch: Callable[[], int]
    window_bytes: int
    router: ActorAddress
    activity: Activity
    journal: Gathering | None = None
    before: Outgoing | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StartReceiving:
    """Be the receiving end of a wire of `flow` from `runner`. As a feed it is Attached to the module here.

    `journal`: what comes is written there, and acknowledged when it is durable; `number`: its messages have numbers
    from there on here; `before`: go on from there; `accept_loss`: also if
    the other end does not know that.
    """

    flow: str
    wire: str
    runner: str
    router: ActorAddress
    journal: Gathering | None = None
    number: int = 0
    before: Incoming | None = None
    accept_loss: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteWire:
    """The flow does not run, and is another one: the wire has this class now, and everything is to be written anew."""

    delivery: Delivery
    journal: Gathering | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOverWire:
    """Nothing new comes from the module, and nothing more is to be taken. Answered with WireHandedOver. `stays`: it is
    only asked, and may go on.
    """

    stays: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EmptyWire:
    """To a sending end: send all, however full the other side is. Answered with WireEmptied. `hold`: what comes after
    that waits here, until it is told the same again without.
    """

    hold: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EndWire:
    """Leave. `forget`: the wire is no more, and what is written of it is void."""

    forget: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkTaken:
    """To a receiving end: note what it has taken so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TellFinished:
    """To a receiving end: what was noted is done, with all that has come of it. The sender is told."""
