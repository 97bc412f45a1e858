"""What every request of the Runner API is."""

from __future__ import annotations

from msgspec import Struct


class Request(Struct, frozen=True, kw_only=True):
    """Base of all requests; `request_id` comes back in the Reply."""

    request_id: str = ""


class Command(Request, frozen=True, kw_only=True):
    """Base of the requests whose answer is true, or false with an error."""
