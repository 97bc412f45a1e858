"""What the embedded session asks of the runner; not part of the client's API."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ShutDown:
    """Stop every flow, end every host; answered with Reply, whose `data` says what could not be kept."""

    request_id: str
