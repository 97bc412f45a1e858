"""What `runner run` and `runner test` tell the embedded session."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from thespian.actors import ActorAddress

if TYPE_CHECKING:
    from actors.ends.flow_watch import FlowWatch
    from actors.ends.outcome import Outcome


class Endpoint(Struct, frozen=True, kw_only=True):
    """What `-i` or `-o` says of one open descriptor. `places`: wire -> module and port; `name` is for errors.

    `ours`: a file that was opened for it, and is to be emptied where it is written.
    """

    places: Mapping[str, tuple[str, str]]
    fd: int
    name: str
    ours: bool = False


class RunFlow(Struct, frozen=True, kw_only=True):
    """Run the flow until it ends, a signal arrives on `signal_fd`, or `for_s` seconds are over.

    What is found out meanwhile is in `outcome`, which says when it is over. `stays`: it is not over when the flow has
    nothing to do.
    """

    runner: ActorAddress
    flow: dict[str, Any]
    inputs: tuple[Endpoint, ...]
    outputs: tuple[Endpoint, ...]
    for_s: float | None
    signal_fd: int
    outcome: Outcome
    raw: bool = False
    watch: FlowWatch | None = None
    show: Callable[[dict[str, Any]], None] | None = None
    mute_sources: bool = False
    stays: bool = False
    show_every_s: float = 0.5
