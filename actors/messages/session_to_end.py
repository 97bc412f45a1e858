"""What the embedded session tells a feed (`-i`) or a sink (`-o`)."""

from __future__ import annotations

from msgspec import Struct
from thespian.actors import ActorAddress

from actors.messages.run_to_session import Endpoint


class StartEnd(Struct, frozen=True, kw_only=True):
    """Attach to ports of `flow`: feed each with every line of the descriptor, or write what leaves them to it.

    `raw`: a line is text, not JSON. Told to the sender: EndReady; then BadLines, FeedBroken, SinkBroken.
    """

    flow: str
    end: Endpoint
    runner: ActorAddress
    raw: bool = False


class EndFeed(Struct, frozen=True, kw_only=True):
    """Read no more; what has been read is delivered."""


class FlushSink(Struct, frozen=True, kw_only=True):
    """Nothing more will come: answer SinkFlushed when all is written, or after `timeout_s`."""

    timeout_s: float
