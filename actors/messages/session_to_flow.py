"""What a feed, a sink or the embedded session asks of a flow, by the runner; not part of the client's API."""

from __future__ import annotations

from msgspec import Struct

from actors.definition.ports import Side


class AttachEnd(Struct, frozen=True, kw_only=True):
    """The sender is the outer end of `wire`; answered with Attached. Side "in": it will deliver to the in-port
    `module.port`, and counts as a source; "out": it gets what leaves the out-port, too.
    """

    flow: str
    side: Side
    module: str
    port: str
    wire: str


class MuteSources(Struct, frozen=True, kw_only=True):
    """Sources of this flow are started but never pulled: `runner test` sends the messages itself."""

    flow: str


class WatchFlow(Struct, frozen=True, kw_only=True):
    """Tell the sender when the flow has failed, is removed or, with `idle`, has nothing left to do (FlowEnded)."""

    flow: str
    idle: bool = True
