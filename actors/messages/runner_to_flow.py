"""What the runner tells a flow; requests of the API that name the flow it passes on as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from thespian.actors import ActorAddress

from actors.definition.share import Share
from actors.messages.client_to_runner import AddOrUpdateFlow, ShadowModule
from actors.messages.front_to_flow import PrepareUpdate

if TYPE_CHECKING:
    from actors.flow.journalled import OpenedJournal
    from actors.flow.kept import Kept
    from actors.preparation.premises import Premises


class AddFlow(Struct, frozen=True, kw_only=True):
    """First message: be this flow; answer the sender, whose request that was. `left_out`: modules, and why.

    `kept`: what it was at the runner's last end, if it is kept; it goes on from there; `opened`: its journal.
    """

    request: AddOrUpdateFlow
    share: Share
    left_out: dict[str, str]
    premises: Premises
    kept: Kept | None = None
    opened: OpenedJournal | None = None

    @property
    def request_id(self) -> str:
        """That of the client's request."""
        return self.request.request_id


class UpdateFlow(Struct, frozen=True, kw_only=True):
    """Become this flow; answer the sender, whose request that was."""

    request: AddOrUpdateFlow
    share: Share
    left_out: dict[str, str]

    @property
    def request_id(self) -> str:
        """That of the client's request."""
        return self.request.request_id


class TryModule(Struct, frozen=True, kw_only=True):
    """Compare the module of that request in `share` with the one that runs; answer the sender, whose request it was."""

    request: ShadowModule
    share: Share

    @property
    def request_id(self) -> str:
        """That of the client's request."""
        return self.request.request_id


class JoinUpdate(Struct, frozen=True, kw_only=True):
    """Begin the part here of an update of several runners; answer `client`, whose request that was."""

    request: PrepareUpdate
    client: ActorAddress
    share: Share
    left_out: dict[str, str]

    @property
    def request_id(self) -> str:
        """That of the front's request."""
        return self.request.request_id


class AuditFlow(Struct, frozen=True, kw_only=True):
    """Answer with FlowAudited, which has the same `round`."""

    round: int


class CloseFlow(Struct, frozen=True, kw_only=True):
    """The runner ends: stop, and be kept if there is a place for that; then FlowClosed."""

    round: int


class FlowForgotten(Struct, frozen=True, kw_only=True):
    """After FlowGone: the runner passes nothing on any more."""
