"""What a gateway tells whoever has made it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayOpened:
    """Clients can connect to `address`, an http address, with `token`, visitors' pages with `client_token`; or `error`
    says why not.
    """

    address: str = ""
    token: str = field(default="", repr=False)
    client_token: str = field(default="", repr=False)
    error: str | None = None
