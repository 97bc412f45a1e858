"""What a flow tells a tap."""

from __future__ import annotations

from msgspec import Struct
from thespian.actors import ActorAddress


class StartTap(Struct, frozen=True, kw_only=True):
    """Begin to keep what comes from a port of `flow`; `as_lines`: it is read as lines, `without_private`: without what
    is from or for one page.
    """

    flow: str
    as_lines: bool = False
    without_private: bool = False


class ReadNext(Struct, frozen=True, kw_only=True):
    """Answer the client as soon as there is something; without, after `wait_s` seconds."""

    request_id: str
    client: ActorAddress
    wait_s: float | None = None
