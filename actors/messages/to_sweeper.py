"""What the runner and its hosts' actors tell the sweeper."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepFolders:
    """End what is marked with these folders, and remove them."""

    folders: tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseSweeper:
    """The runner ends: begin nothing any more; answered with SweeperClosed."""
