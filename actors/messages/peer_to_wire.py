"""What a peer tells the ends of wires between runners; frames of a wire it passes on as they are."""

from __future__ import annotations

from dataclasses import dataclass

from runtimes.frames import Frame

__all__ = ["Frame", "PeerDown", "PeerUp"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerUp:
    """There is a connection, and this is the wire's channel on it. A receiving end gets the wire's OPEN next."""

    channel: int
    connection: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerDown:
    """The connection has gone, and with it what was under way."""
