"""What the dispatcher tells the registry."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerLeft:
    """It has ended, for good: it is not waited for."""

    name: str
