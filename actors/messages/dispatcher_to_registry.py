"""What the dispatcher tells the registry."""

from __future__ import annotations

from msgspec import Struct


class RunnerLeft(Struct, frozen=True, kw_only=True):
    """It has ended, for good: it is not waited for."""

    name: str
