"""What the actor that has journals written answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEnded:
    """Nobody writes it any more; one that was to be removed is not on the disk."""

    by: ClassVar[str] = "flow"
    flow: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalSynced:
    """All that has happened so far is durable."""

    by: ClassVar[str] = "flow"
    flow: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalsClosed:
    """All that has happened is durable, and the process that wrote it has ended."""
