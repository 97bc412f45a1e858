"""What a feed (`-i`) or a sink (`-o`) tells the embedded session. `name`: what the session has called it."""

from __future__ import annotations

from dataclasses import dataclass

from actors.definition.ports import Side


@dataclass(frozen=True, slots=True, kw_only=True)
class EndReady:
    """Attached to all places; or `errors`. `side`: "in" for a feed, "out" for a sink."""

    side: Side
    name: str
    errors: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BadLines:
    """`count` lines so far were no messages; they were left out. `named`: sentences about new ones."""

    name: str
    count: int
    named: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedBroken:
    """The input cannot be read any further."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkBroken:
    """The other end is gone (a closed pipe), or the disk is full: what comes from now on is only counted."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkFlushed:
    """It is over: `lost` messages were not written, for this `reason`."""

    name: str
    lost: int
    reason: str
