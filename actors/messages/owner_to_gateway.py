"""What whoever has made a gateway tells it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from thespian.actors import ActorAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayOrder:
    """Listen on `host` and `port` (0: any that is free).

    `token`: what is good for everything, None: that of the state directory; `origins`: whose pages may connect beside
    its own; `pages`: a folder of pages, served at /app/; `certificate`, `key`: files, for TLS.
    """

    host: str
    port: int
    token: str | None = field(default=None, repr=False)
    origins: tuple[str, ...] = ()
    pages: str | None = None
    certificate: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenGateway:
    """Do as `order` says; pass requests on to `runner`; the tokens are in the folder `state`. Answered with
    GatewayOpened.
    """

    runner: ActorAddress
    state: Path
    order: GatewayOrder
