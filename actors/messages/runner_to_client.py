"""What the runner answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The answer to the request of the same id: a value, or an error sentence with optional data."""

    request_id: str
    ok: bool
    value: Any = None
    error: str | None = None
    data: Any = None
    receipt: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """Something that a subscription, which `request_id` has begun, is told; `whole`: no earlier one is needed."""

    request_id: str
    subscription_id: str
    method: str
    params: dict[str, Any]
    whole: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a request is that takes long: a line for people."""

    request_id: str
    text: str
