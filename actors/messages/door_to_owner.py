"""What a door tells whoever has made it."""

from __future__ import annotations

from msgspec import Struct


class DoorOpened(Struct, frozen=True, kw_only=True):
    """Clients can connect; or `error` says why not."""

    error: str | None = None
