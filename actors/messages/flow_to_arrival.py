"""What a flow tells the Arrival actor, which takes in what another runner has of modules that move."""

from __future__ import annotations

from dataclasses import dataclass

from thespian.actors import ActorAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitModules:
    """First message: they come from `runner`, on a wire of that name of `flow`; ModulesArrived then says of which
    `update` they are.
    """

    flow: str
    update: str
    wire: str
    runner: str
    router: ActorAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class EndArrival:
    """Nothing is awaited any more."""
