"""What a shadow tells its flow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowReady:
    """Both versions are loaded; it waits for messages."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowEnded:
    """`errors`: why nothing could be compared, as sentences; else `value` is what was found. Its hosts are gone."""

    number: int
    errors: tuple[str, ...]
    value: dict[str, Any] | None
