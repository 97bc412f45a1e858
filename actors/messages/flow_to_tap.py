"""What a flow tells a tap."""

from __future__ import annotations

from dataclasses import dataclass

from thespian.actors import ActorAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class StartTap:
    """Begin to keep what comes from a port of `flow`; `as_lines`: it is read as lines, `without_private`: without what
    is from or for one page.
    """

    flow: str
    as_lines: bool = False
    without_private: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadNext:
    """Answer the client as soon as there is something; without, after `wait_s` seconds."""

    request_id: str
    client: ActorAddress
    wait_s: float | None = None
