"""What a rehearsal tells its shadow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalBegun:
    """The module takes messages, or `error` is why not, as a sentence."""

    error: str | None
    context: dict[bytes, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagePlayed:
    """What a message has come to: port -> outputs, encoded; the ERROR that it ended with, if it did; what has changed
    in the context.
    """

    outputs: dict[str, list[bytes]]
    error: dict[str, Any] | None
    context: dict[bytes, bytes | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalOver:
    """The host has ended: the message that it was at has done that, and no more can be played."""

    why: str
