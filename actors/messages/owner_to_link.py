"""What the links of a runner are told: peers and the listener by the router, the ends of wires by their flow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
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


class StartPeer(Struct, frozen=True, kw_only=True):
    """Be the link of `runner` (this one, in its `incarnation`) to `peer`. Told to the sender: PeerFound, PeerLost."""

    runner: str
    incarnation: int
    peer: str
    contexts: Contexts


class PeerAt(Struct, frozen=True, kw_only=True):
    """Where the other runner listens, or None: nobody knows. Which of the two connects, the names say."""

    place: Place | None


class DescribeLink(Struct, frozen=True, kw_only=True):
    """Answer with LinkDescribed, which has the same `round`; the router: with LinksDescribed."""

    round: int


class TakeConnection(Struct, frozen=True, kw_only=True):
    """Of the listener: a runner with the peer's certificate has connected."""

    connection: Connection


class StartListener(Struct, frozen=True, kw_only=True):
    """Listen there (port 0: any); answered with Listening. Runners that `peers` does not name are refused."""

    place: Place
    contexts: Contexts
    peers: dict[str, ActorAddress]


class ChangePeers(Struct, frozen=True, kw_only=True):
    """These are the peers now."""

    peers: dict[str, ActorAddress]


class StartSending(Struct, frozen=True, kw_only=True):
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


class StartReceiving(Struct, frozen=True, kw_only=True):
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


class NoteWire(Struct, frozen=True, kw_only=True):
    """The flow does not run, and is another one: the wire has this class now, and everything is to be written anew."""

    delivery: Delivery
    journal: Gathering | None


class HandOverWire(Struct, frozen=True, kw_only=True):
    """Nothing new comes from the module, and nothing more is to be taken. Answered with WireHandedOver. `stays`: it is
    only asked, and may go on.
    """

    stays: bool = False


class EmptyWire(Struct, frozen=True, kw_only=True):
    """To a sending end: send all, however full the other side is. Answered with WireEmptied. `hold`: what comes after
    that waits here, until it is told the same again without.
    """

    hold: bool = False


class EndWire(Struct, frozen=True, kw_only=True):
    """Leave. `forget`: the wire is no more, and what is written of it is void."""

    forget: bool = True


class MarkTaken(Struct, frozen=True, kw_only=True):
    """To a receiving end: note what it has taken so far."""


class TellFinished(Struct, frozen=True, kw_only=True):
    """To a receiving end: what was noted is done, with all that has come of it. The sender is told."""
