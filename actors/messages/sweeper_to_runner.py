"""What the sweeper tells the runner."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SweeperClosed:
    """No process of its own is left; what it had begun, the end of the run folder or the next runner does."""
