"""What the runner tells the preparation actor."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from runtimes.environments import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCache:
    """First message: where environments and builds are kept."""

    cache: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepare:
    """Make these, one after the other, if they are not there; then Prepared. `flow` and `key` come back with it."""

    flow: str
    key: str
    recipes: tuple[Recipe, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelPreparation:
    """Fail what this flow (and key, if given) waits for; a command for which nobody else waits is killed."""

    flow: str
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosePreparation:
    """Kill every command and fail those who wait."""
