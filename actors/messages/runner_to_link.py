"""What the runner tells its router."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from thespian.actors import ActorAddress

if TYPE_CHECKING:
    from actors.messages.owner_to_runner import OpenLinks


class StartRouter(Struct, frozen=True, kw_only=True):
    """Have the links of `runner`, which has been started so often, and answer `client`, who has asked for them."""

    runner: str
    incarnation: int
    request: OpenLinks
    client: ActorAddress
