"""What a shadow tells its flow."""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class ShadowReady(Struct, frozen=True, kw_only=True):
    """Both versions are loaded; it waits for messages."""

    number: int


class ShadowEnded(Struct, frozen=True, kw_only=True):
    """`errors`: why nothing could be compared, as sentences; else `value` is what was found. Its hosts are gone."""

    number: int
    errors: tuple[str, ...]
    value: dict[str, Any] | None
