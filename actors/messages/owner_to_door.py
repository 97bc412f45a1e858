"""What whoever has made a door tells it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from thespian.actors import ActorAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenDoor:
    """Listen in `folder`; pass requests on to `runner`. Answered with DoorOpened."""

    folder: Path
    runner: ActorAddress
