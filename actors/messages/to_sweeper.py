"""What the runner and its hosts' actors tell the sweeper."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct


class SweepFolders(Struct, frozen=True, kw_only=True):
    """End what is marked with these folders, and remove them."""

    folders: tuple[Path, ...]


class CloseSweeper(Struct, frozen=True, kw_only=True):
    """The runner ends: begin nothing any more; answered with SweeperClosed."""
