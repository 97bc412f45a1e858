"""What travels along a wire, and what holds it back. Feeds (`-i`) and sinks (`-o`) are modules to their neighbours."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct


class Deliver(NamedTuple):  # a tuple, not a dataclass: made once per frame on the hot path
    """Messages of a wire; `body` and `flags` as in DATA, `first` is the wire's number of the first one meant."""

    wire: str
    body: bytes
    flags: int
    skip: int
    count: int  # type: ignore[assignment]  # the tuple's own count() is not missed
    first: int


class HoldWire(Struct, frozen=True, kw_only=True):
    """The target's mailbox is above high-water: send nothing more on this wire."""

    wire: str


class ReleaseWire(Struct, frozen=True, kw_only=True):
    """The target can take more on this wire."""

    wire: str
