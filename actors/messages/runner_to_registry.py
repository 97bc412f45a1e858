"""What the process of a runner tells the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from actors.messages.owner_to_runner import Place


class RegisterRunner(Struct, frozen=True, kw_only=True):
    """The sender is this runner and listens there. Said again every second: a registry may have lost it."""

    name: str
    incarnation: int
    place: Place
