"""What whoever has made a door tells it."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct
from thespian.actors import ActorAddress


class OpenDoor(Struct, frozen=True, kw_only=True):
    """Listen in `folder`; pass requests on to `runner`. Answered with DoorOpened."""

    folder: Path
    runner: ActorAddress
