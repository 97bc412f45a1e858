"""What the actor that has journals written answers."""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct


class JournalEnded(Struct, frozen=True, kw_only=True):
    """Nobody writes it any more; one that was to be removed is not on the disk."""

    by: ClassVar[str] = "flow"
    flow: str


class JournalSynced(Struct, frozen=True, kw_only=True):
    """All that has happened so far is durable."""

    by: ClassVar[str] = "flow"
    flow: str


class JournalsClosed(Struct, frozen=True, kw_only=True):
    """All that has happened is durable, and the process that wrote it has ended."""
