"""What the embedded session tells its watcher (`--watch`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from thespian.actors import ActorAddress

if TYPE_CHECKING:
    from actors.ends.flow_watch import FlowWatch


@dataclass(frozen=True, slots=True, kw_only=True)
class StartWatcher:
    """Begin; what has changed since `watch` was made is an edit already."""

    watch: FlowWatch
    runner: ActorAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class StopWatcher:
    """Update nothing any more."""
