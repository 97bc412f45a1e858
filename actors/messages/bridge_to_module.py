"""What a bridge tells the modules of its host."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from runtimes.turns_committed import TurnsCommitted

__all__ = ["TurnsCommitted"]  # a module's part of a transaction, made where that is checked


@dataclass(frozen=True, slots=True, kw_only=True)
class HostUp:
    """A host has said HELLO: answer with LoadModule. `secrets`: what references in the module's config stand for."""

    secrets: dict[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnterService:
    """The host is about to start this module beside others that run: answer with StartModule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostOpen:
    """Loaded, wired and started; `fused`: wire ids; `muted`: no credit. In probation only ProbeNext makes it send."""

    source: bool
    muted: bool
    probation: bool
    fused: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retired:
    """You are loaded only from now on; your `stop` hook may still commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostDown:
    """The host is gone; whatever was not committed is to be delivered again."""

    reason: str
    stderr: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotPaused:
    """The host has answered PAUSE."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnBegun:
    """The host has begun an announced turn."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PortUnwired:
    """The module has sent to a port that has no wire, for the first time since this host was started."""

    port: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFinished:
    """The module's source has ended."""

    ok: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRestarted:
    """`start` has been called once more; `source`: it has returned one. Or `error` is what it has raised."""

    source: bool
    error: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeNext:
    """Send your next suspect, alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbationOver:
    """All suspects of the host are done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainWires:
    """Take messages of these wires only, until none are left, and have nothing at the host; then WiresDrained."""

    wires: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class EndDrain:
    """Go on with every wire; `fused` are the wires that are inside the host now."""

    fused: frozenset[str]
