"""What a peer tells the ends of wires between runners; frames of a wire it passes on as they are."""

from __future__ import annotations

from msgspec import Struct

from runtimes.frames import Frame

__all__ = ["Frame", "PeerDown", "PeerUp"]


class PeerUp(Struct, frozen=True, kw_only=True):
    """There is a connection, and this is the wire's channel on it. A receiving end gets the wire's OPEN next."""

    channel: int
    connection: int


class PeerDown(Struct, frozen=True, kw_only=True):
    """The connection has gone, and with it what was under way."""
