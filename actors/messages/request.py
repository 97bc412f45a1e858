"""What every request of the Runner API is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Base of all requests; `request_id` comes back in the Reply."""

    request_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command(Request):
    """Base of the requests whose answer is true, or false with an error."""
