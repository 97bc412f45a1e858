"""What the Arrival actor tells its flow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from actors.flow.kept_file import KeptFlow


class ModulesArrived(Struct, frozen=True, kw_only=True):
    """All that `runner` has of the modules that move from there to here, in an update; `data`: as it came."""

    update: str
    runner: str
    data: bytes
    kept: KeptFlow
