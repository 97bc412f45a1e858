"""What a bridge tells the modules of its host."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from actors.messages.secretive import Secretive
from runtimes.turns_committed import TurnsCommitted

__all__ = ["TurnsCommitted"]  # a module's part of a transaction, made where that is checked


class HostUp(Secretive, frozen=True, kw_only=True):
    """A host has said HELLO: answer with LoadModule. `secrets`: what references in the module's config stand for."""

    secrets: dict[str, str]


class EnterService(Struct, frozen=True, kw_only=True):
    """The host is about to start this module beside others that run: answer with StartModule."""


class HostOpen(Struct, frozen=True, kw_only=True):
    """Loaded, wired and started; `fused`: wire ids; `muted`: no credit. In probation only ProbeNext makes it send."""

    source: bool
    muted: bool
    probation: bool
    fused: frozenset[str]


class Retired(Struct, frozen=True, kw_only=True):
    """You are loaded only from now on; your `stop` hook may still commit."""


class HostDown(Struct, frozen=True, kw_only=True):
    """The host is gone; whatever was not committed is to be delivered again."""

    reason: str
    stderr: str


class SlotPaused(Struct, frozen=True, kw_only=True):
    """The host has answered PAUSE."""


class TurnBegun(Struct, frozen=True, kw_only=True):
    """The host has begun an announced turn."""

    number: int


class PortUnwired(Struct, frozen=True, kw_only=True):
    """The module has sent to a port that has no wire, for the first time since this host was started."""

    port: str


class SourceFinished(Struct, frozen=True, kw_only=True):
    """The module's source has ended."""

    ok: bool


class SourceRestarted(Struct, frozen=True, kw_only=True):
    """`start` has been called once more; `source`: it has returned one. Or `error` is what it has raised."""

    source: bool
    error: dict[str, Any] | None = None


class ProbeNext(Struct, frozen=True, kw_only=True):
    """Send your next suspect, alone."""


class ProbationOver(Struct, frozen=True, kw_only=True):
    """All suspects of the host are done."""


class DrainWires(Struct, frozen=True, kw_only=True):
    """Take messages of these wires only, until none are left, and have nothing at the host; then WiresDrained."""

    wires: frozenset[str]


class EndDrain(Struct, frozen=True, kw_only=True):
    """Go on with every wire; `fused` are the wires that are inside the host now."""

    fused: frozenset[str]
