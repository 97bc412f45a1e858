"""What the process of a runner tells the actor behind its own door, if it is one of several."""

from __future__ import annotations

from msgspec import Struct
from thespian.actors import ActorAddress


class BeMember(Struct, frozen=True, kw_only=True):
    """Pass on to `runner`, called `name`, what may be asked of one runner of the deployment."""

    runner: ActorAddress
    name: str
    deployment: str
