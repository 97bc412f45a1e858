"""What a flow tells a tap."""

from __future__ import annotations

from dataclasses import dataclass

from thespian.actors import ActorAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class StartTap:
    """Begin to keep what comes from a port of `flow`."""

    flow: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadNext:
    """Answer the client as soon as there is something."""

    request_id: str
    client: ActorAddress
