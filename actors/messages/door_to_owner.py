"""What a door tells whoever has made it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorOpened:
    """Clients can connect; or `error` says why not."""

    error: str | None = None
