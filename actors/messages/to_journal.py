"""What the runner, its flows and hosts tell the actor that has their journals written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actors.journal.gathering import Gathering
    from actors.journal.group import Group


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenJournals:
    """First message: where the journals are; `lost` is to be called, with a sentence, if they cannot be written."""

    folder: Path
    lost: Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddJournal:
    """Tell the gathering of `flow` what is durable, and when its time is up. `lock`: the descriptor that keeps other
    runners away from its journal, to be closed at its end.
    """

    flow: str
    gathering: Gathering
    lock: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteGroup:
    """Have it written; the gathering is told."""

    flow: str
    group: Group


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupBegun:
    """The first record of a group has come."""

    flow: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EndUnit:
    """What was begun by the sender has been done: whoever had a part in it has had his message before this."""

    flow: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndJournal:
    """The flow leaves this runner, and, with `remove`, is not wanted any more; then JournalEnded."""

    flow: str
    remove: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncJournal:
    """Answer with JournalSynced when all that has happened in the flow so far is durable."""

    flow: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseJournals:
    """Nothing more comes: have everything written, then JournalsClosed."""
