"""What a feed, a sink or the embedded session asks of a flow, by the runner; not part of the client's API."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachFeed:
    """The sender will deliver to `module.port` on the wire `wire`; answered with Attached. It counts as a source."""

    flow: str
    module: str
    port: str
    wire: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachSink:
    """Deliver what leaves `module.port` to the sender too, on the wire `wire`; answered with Attached."""

    flow: str
    module: str
    port: str
    wire: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MuteSources:
    """Sources of this flow are started but never pulled: `runner test` sends the messages itself."""

    flow: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchFlow:
    """Tell the sender when the flow has failed, is removed or, with `idle`, has nothing left to do (FlowEnded)."""

    flow: str
    idle: bool = True
