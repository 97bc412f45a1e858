"""What whoever has made a gateway tells it."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct
from thespian.actors import ActorAddress

from actors.messages.secretive import Secretive


class GatewayOrder(Secretive, frozen=True, kw_only=True):
    """Listen on `host` and `port` (0: any that is free).

    `token`: what is good for everything, None: that of the state directory; `origins`: whose pages may connect beside
    its own; `pages`: a folder of pages, served at /app/; `certificate`, `key`: files, for TLS.
    """

    host: str
    port: int
    token: str | None = None
    origins: tuple[str, ...] = ()
    pages: str | None = None
    certificate: str | None = None
    key: str | None = None


class OpenGateway(Struct, frozen=True, kw_only=True):
    """Do as `order` says; pass requests on to `runner`; the tokens are in the folder `state`. Answered with
    GatewayOpened.
    """

    runner: ActorAddress
    state: Path
    order: GatewayOrder
