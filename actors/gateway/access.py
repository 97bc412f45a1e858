"""Who may do what: two tokens, and which pages may connect. Tokens are never logged, nor part of an address."""

from __future__ import annotations

import hmac
import os
import secrets
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from pathlib import Path

from actors.gateway.http import Head, HttpError

TOKEN_FILE, CLIENT_TOKEN_FILE = "gateway.token", "gateway.client-token"
SUBPROTOCOL = "token."  # a browser cannot send Authorization with a WebSocket
BEARER = "bearer "
_CHALLENGE = {"www-authenticate": "Bearer"}


class Rights(Enum):
    """What a token is good for. OWNER: everything; CLIENT: what the pages of visitors do."""

    OWNER = "owner"
    CLIENT = "client"


@dataclass(frozen=True, slots=True)
class Access:
    """The tokens, and the origins (`https://host:port`) whose pages may connect."""

    token: str
    client_token: str
    origins: tuple[str, ...]

    def rights(self, head: Head) -> Rights:
        """Of the token that a request brings. Raises HttpError: 401 without a good one, 403 for a foreign page."""
        origin = head.headers.get("origin")
        if origin is not None and origin not in self.origins:
            raise HttpError(HTTPStatus.FORBIDDEN, f"pages of {origin[:200]!r} may not connect; `origins` lists who may")
        given = _token(head)
        if given is None:
            raise HttpError(HTTPStatus.UNAUTHORIZED, "a token is needed: `Authorization: Bearer TOKEN`", _CHALLENGE)
        if _same(given, self.token):
            return Rights.OWNER
        if _same(given, self.client_token):
            return Rights.CLIENT
        raise HttpError(HTTPStatus.UNAUTHORIZED, "this token is not known", _CHALLENGE)

    def cors(self, head: Head) -> dict[str, str]:
        """What lets a page of an origin that may connect read the answer (https://fetch.spec.whatwg.org, CORS)."""
        origin = head.headers.get("origin")
        if origin not in self.origins:
            return {}
        allowed = {"access-control-allow-origin": origin, "vary": "origin"}
        if head.method == "OPTIONS":
            allowed |= {
                "access-control-allow-methods": "GET, POST",
                "access-control-allow-headers": "authorization, content-type, idempotency-key",
                "access-control-max-age": "600",
            }
        return allowed

    def owner(self, head: Head) -> None:
        """The same; 403 unless it is good for everything."""
        if self.rights(head) is not Rights.OWNER:
            raise HttpError(HTTPStatus.FORBIDDEN, "this token is for pages of visitors only")


def _token(head: Head) -> str | None:
    bearer = head.headers.get("authorization", "")
    if bearer.lower().startswith(BEARER):
        return bearer[len(BEARER) :].strip()
    offered = head.headers.get("sec-websocket-protocol", "").split(",")
    return next((one.strip()[len(SUBPROTOCOL) :] for one in offered if one.strip().startswith(SUBPROTOCOL)), None)


def _same(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(), token.encode())


def token_of(path: Path) -> str:
    """The token in a file that only its owner can read; made if there is none. Raises OSError, for an empty one too."""
    try:
        made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        token = path.read_text("utf-8").strip()
        if not token:
            raise OSError(22, "is empty; remove it, and it is made anew", str(path)) from None
        return token
    token = secrets.token_urlsafe(32)
    try:
        os.write(made, token.encode() + b"\n")
    finally:
        os.close(made)
    return token
