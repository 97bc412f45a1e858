"""What the links of a runner are told: peers and the listener by the router, the ends of wires by their flow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from thespian.actors import ActorAddress

if TYPE_CHECKING:
    from actors.definition.deliveries import Delivery
    from actors.links.connection import Connection
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
    """Be the sending end of a wire of `flow` to `runner`. `epoch`: rises when the numbers of the wire are lost.

    As a sink it is Attached to the module here; `owner` is told when the flow has nothing under way.
    """

    flow: str
    wire: str
    runner: str
    delivery: Delivery
    epoch: int
    window_bytes: int
    router: ActorAddress
    activity: Activity


@dataclass(frozen=True, slots=True, kw_only=True)
class StartReceiving:
    """Be the receiving end of a wire of `flow` from `runner`. As a feed it is Attached to the module here."""

    flow: str
    wire: str
    runner: str
    router: ActorAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class EmptyWire:
    """To a sending end: nothing new comes; send all, whatever is held. Answered with WireEmptied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndWire:
    """The wire is no more: leave."""
