"""What an end of a wire between runners tells the router, and the peer, which has the connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

from runtimes.frames import Frame

if TYPE_CHECKING:
    from actors.links.figures import WireFigures


class JoinPeer(Struct, frozen=True, kw_only=True):
    """To the router: the sender is an end of a wire whose other end is on `runner`. That one's peer answers: with
    PeerUp, for every connection; to the receiving end when the other runner has opened the wire. `figures`: what it
    has carried.
    """

    runner: str
    flow: str
    wire: str
    sending: bool
    figures: Callable[[], WireFigures]


class LeavePeer(Struct, frozen=True, kw_only=True):
    """To the router: it is not any more."""

    runner: str
    flow: str
    wire: str
    sending: bool


class PeerFrames(NamedTuple):  # a tuple, not a dataclass: made on the hot path
    """Write these on a connection; dropped if there is another by now, for which the end has got a PeerUp."""

    frames: list[Frame]
    connection: int


class BreakPeer(Struct, frozen=True, kw_only=True):
    """What the other runner says does not fit: end the connection. Both sides begin anew from what they have."""

    connection: int
    reason: str
