"""What the runner tells the scribe, and is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thespian.actors import ActorAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteFlow:
    """Bring what has changed of a flow, from `base` to `new`, into its file; answer `client`, then FlowWritten.

    `file`: None: only say what a file of it would be. `folder`: for what it takes meanwhile.
    """

    request_id: str
    client: ActorAddress
    file: Path | None
    folder: Path
    base: dict[str, Any]
    new: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowWritten:
    """The file says this now."""

    document: dict[str, Any]
