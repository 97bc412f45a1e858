"""What a gateway tells whoever has made it."""

from __future__ import annotations

from actors.messages.secretive import Secretive


class GatewayOpened(Secretive, frozen=True, kw_only=True):
    """Clients can connect to `address`, an http address, with `token`, visitors' pages with `client_token`; or `error`
    says why not.
    """

    address: str = ""
    token: str = ""
    client_token: str = ""
    error: str | None = None
