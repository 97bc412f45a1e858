"""What a rehearsal tells its shadow."""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class RehearsalBegun(Struct, frozen=True, kw_only=True):
    """The module takes messages, or `error` is why not, as a sentence."""

    error: str | None
    context: dict[bytes, bytes]


class MessagePlayed(Struct, frozen=True, kw_only=True):
    """What a message has come to: port -> outputs, encoded; the ERROR that it ended with, if it did; what has changed
    in the context.
    """

    outputs: dict[str, list[bytes]]
    error: dict[str, Any] | None
    context: dict[bytes, bytes | None]


class RehearsalOver(Struct, frozen=True, kw_only=True):
    """The host has ended: the message that it was at has done that, and no more can be played."""

    why: str
