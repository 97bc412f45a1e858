"""What the registry tells the processes of runners."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actors.messages.owner_to_runner import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnersRegistered:
    """All that are there. Said when that changes, and to one that registers anew."""

    places: dict[str, Place]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerFenced:
    """There is a newer incarnation of this runner: it is to end."""

    name: str
    incarnation: int
