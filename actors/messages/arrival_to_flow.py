"""What the Arrival actor tells its flow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actors.flow.kept_file import KeptFlow


@dataclass(frozen=True, slots=True, kw_only=True)
class ModulesArrived:
    """All that `runner` has of the modules that move from there to here, in an update; `data`: as it came."""

    update: str
    runner: str
    data: bytes
    kept: KeptFlow
