"""What a flow tells the Arrival actor, which takes in what another runner has of modules that move."""

from __future__ import annotations

from msgspec import Struct
from thespian.actors import ActorAddress


class AwaitModules(Struct, frozen=True, kw_only=True):
    """First message: they come from `runner`, on a wire of that name of `flow`; ModulesArrived then says of which
    `update` they are.
    """

    flow: str
    update: str
    wire: str
    runner: str
    router: ActorAddress


class EndArrival(Struct, frozen=True, kw_only=True):
    """Nothing is awaited any more."""
