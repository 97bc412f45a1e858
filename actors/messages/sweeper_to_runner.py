"""What the sweeper tells the runner."""

from __future__ import annotations

from msgspec import Struct


class SweeperClosed(Struct, frozen=True, kw_only=True):
    """No process of its own is left; what it had begun, the end of the run folder or the next runner does."""
