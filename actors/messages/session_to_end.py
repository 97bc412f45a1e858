"""What the embedded session tells a feed (`-i`) or a sink (`-o`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from thespian.actors import ActorAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class StartFeed:
    """Feed ports of `flow` from the descriptor `fd`, each with every line. `places`: wire -> module and port.

    `name` is for errors; `raw`: a line is text, not JSON. Told to the sender: FeedReady, BadLines, FeedBroken.
    """

    flow: str
    places: Mapping[str, tuple[str, str]]
    fd: int
    name: str
    raw: bool
    runner: ActorAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class EndFeed:
    """Read no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartSink:
    """Write what leaves ports of `flow` to the descriptor `fd`. `places`: wire -> module and port."""

    flow: str
    places: Mapping[str, tuple[str, str]]
    fd: int
    name: str
    runner: ActorAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class FlushSink:
    """Nothing more will come: answer SinkFlushed when all is written, or after `timeout_s`."""

    timeout_s: float
