"""What the embedded session tells its watcher (`--watch`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from thespian.actors import ActorAddress

if TYPE_CHECKING:
    from actors.ends.flow_watch import FlowWatch


class StartWatcher(Struct, frozen=True, kw_only=True):
    """Begin; what has changed since `watch` was made is an edit already."""

    watch: FlowWatch
    runner: ActorAddress


class StopWatcher(Struct, frozen=True, kw_only=True):
    """Update nothing any more."""
