"""What the runner answers."""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class Reply(Struct, frozen=True, kw_only=True):
    """The answer to the request of the same id: a value, or an error sentence with optional data."""

    request_id: str
    ok: bool
    value: Any = None
    error: str | None = None
    data: Any = None
    receipt: Any = None


class Notification(Struct, frozen=True, kw_only=True):
    """Something that a subscription, which `request_id` has begun, is told; `whole`: no earlier one is needed."""

    request_id: str
    subscription_id: str
    method: str
    params: dict[str, Any]
    whole: bool = False


class Progress(Struct, frozen=True, kw_only=True):
    """How far a request is that takes long: a line for people."""

    request_id: str
    text: str
