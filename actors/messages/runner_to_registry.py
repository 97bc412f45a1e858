"""What the process of a runner tells the registry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actors.messages.owner_to_runner import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterRunner:
    """The sender is this runner and listens there. Said again every second: a registry may have lost it."""

    name: str
    incarnation: int
    place: Place
