"""What a flow tells a feed, a sink or the embedded session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from thespian.actors import ActorAddress

if TYPE_CHECKING:
    from actors.journal.gathering import Gathering
    from actors.state.activity import Activity
    from actors.state.tracing import Tracing


class Attached(Struct, frozen=True, kw_only=True):
    """The wire is there; `module` is its other end, None if that has been removed. Or `error` says why not.

    `journal`: what comes and goes there has to be noted in it; `tracing`: which messages of the flow are followed.
    """

    wire: str
    module: ActorAddress | None = None
    activity: Activity | None = None
    journal: Gathering | None = None
    tracing: Tracing | None = None
    error: str | None = None


class FlowEnded(Struct, frozen=True, kw_only=True):
    """Idle and without sources, or failed: then `errors` says why; or removed."""

    flow: str
    errors: tuple[str, ...] = ()
    removed: bool = False
