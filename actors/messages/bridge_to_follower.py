"""What a bridge tells whoever follows the commits of its host."""

from __future__ import annotations

from msgspec import Struct

from runtimes.turns_committed import TurnsCommitted


class CommitHandedOut(Struct, frozen=True, kw_only=True):
    """A commit stands: commit `number` (1, 2, ...) of the `start`-th start of the host `key` of `flow`; `parts`: (slot,
    part).

    It comes before any module has its part.
    """

    flow: str
    key: str
    start: int
    number: int
    parts: tuple[tuple[int, TurnsCommitted], ...]


class CommitApplied(Struct, frozen=True, kw_only=True):
    """Every module has done its part of that commit, and nobody has done anything else since CommitHandedOut.

    A module that has raised on its part has told its flow, which ends; the system's `failures` tell then and now apart.
    """

    flow: str
    key: str
    start: int
    number: int
