"""What the runner tells the scribe, and is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec import Struct
from thespian.actors import ActorAddress


class WriteFlow(Struct, frozen=True, kw_only=True):
    """Bring what has changed of a flow, from `base` to `new`, into its file; answer `client`, then FlowWritten.

    `file`: None: only say what a file of it would be. `folder`: for what it takes meanwhile.
    """

    request_id: str
    client: ActorAddress
    file: Path | None
    folder: Path
    base: dict[str, Any]
    new: dict[str, Any]


class FlowWritten(Struct, frozen=True, kw_only=True):
    """The file says this now."""

    document: dict[str, Any]
