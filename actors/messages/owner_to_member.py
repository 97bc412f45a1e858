"""What the process of a runner tells the actor behind its own door, if it is one of several."""

from __future__ import annotations

from dataclasses import dataclass

from thespian.actors import ActorAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class BeMember:
    """Pass on to `runner`, called `name`, what may be asked of one runner of the deployment."""

    runner: ActorAddress
    name: str
    deployment: str
