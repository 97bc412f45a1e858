"""What the runner, its flows and hosts tell the actor that has their journals written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from actors.journal.gathering import Gathering
    from actors.journal.group import Group


class OpenJournals(Struct, frozen=True, kw_only=True):
    """First message: where the journals are; `lost` is to be called, with a sentence, if they cannot be written."""

    folder: Path
    lost: Callable[[str], None]


class AddJournal(Struct, frozen=True, kw_only=True):
    """Tell the gathering of `flow` what is durable, and when its time is up. `lock`: the descriptor that keeps other
    runners away from its journal, to be closed at its end.
    """

    flow: str
    gathering: Gathering
    lock: int


class WriteGroup(Struct, frozen=True, kw_only=True):
    """Have it written; the gathering is told."""

    flow: str
    group: Group


class GroupBegun(Struct, frozen=True, kw_only=True):
    """The first record of a group has come."""

    flow: str
    number: int


class EndUnit(Struct, frozen=True, kw_only=True):
    """What was begun by the sender has been done: whoever had a part in it has had his message before this."""

    flow: str


class EndJournal(Struct, frozen=True, kw_only=True):
    """The flow leaves this runner, and, with `remove`, is not wanted any more; then JournalEnded."""

    flow: str
    remove: bool


class SyncJournal(Struct, frozen=True, kw_only=True):
    """Answer with JournalSynced when all that has happened in the flow so far is durable."""

    flow: str


class CloseJournals(Struct, frozen=True, kw_only=True):
    """Nothing more comes: have everything written, then JournalsClosed."""
