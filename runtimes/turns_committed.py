"""What a module's turns have come to: its part of a transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from runtimes.frames import Frame

Outputs = Sequence[tuple[str, Frame]]
Changes = Mapping[bytes, bytes | None]
Errors = Sequence[Frame]


class TurnsCommitted(NamedTuple):  # a tuple, not a dataclass: made once per transaction on the hot path
    """A module's part of a transaction: its COMMIT numbers, its outputs with their ports, its context, its errors."""

    consumed: int
    handled: int
    failed: int
    pulled: int
    sent: int
    unwired: int
    busy_us: int
    fused: int
    outputs: Outputs
    context: Changes
    errors: Errors
