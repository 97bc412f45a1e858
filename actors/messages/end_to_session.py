"""What a feed (`-i`) or a sink (`-o`) tells the embedded session. `name`: what the session has called it."""

from __future__ import annotations

from msgspec import Struct

from actors.definition.ports import Side


class EndReady(Struct, frozen=True, kw_only=True):
    """Attached to all places; or `errors`. `side`: "in" for a feed, "out" for a sink."""

    side: Side
    name: str
    errors: tuple[str, ...]


class BadLines(Struct, frozen=True, kw_only=True):
    """`count` lines so far were no messages; they were left out. `named`: sentences about new ones."""

    name: str
    count: int
    named: tuple[str, ...]


class FeedBroken(Struct, frozen=True, kw_only=True):
    """The input cannot be read any further."""

    name: str
    reason: str


class SinkBroken(Struct, frozen=True, kw_only=True):
    """The other end is gone (a closed pipe), or the disk is full: what comes from now on is only counted."""

    name: str
    reason: str


class SinkFlushed(Struct, frozen=True, kw_only=True):
    """It is over: `lost` messages were not written, for this `reason`."""

    name: str
    lost: int
    reason: str
