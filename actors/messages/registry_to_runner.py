"""What the registry tells the processes of runners."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from actors.messages.owner_to_runner import Place


class RunnersRegistered(Struct, frozen=True, kw_only=True):
    """All that are there. Said when that changes, and to one that registers anew."""

    places: dict[str, Place]


class RunnerFenced(Struct, frozen=True, kw_only=True):
    """There is a newer incarnation of this runner: it is to end."""

    name: str
    incarnation: int
