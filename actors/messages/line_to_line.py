"""What the ends of a line between two machines tell each other (system/line.py)."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

LineId = tuple[str, int, int]  # the deployment, how often its dispatcher has been started, which of its lines


class Parcel(Struct, frozen=True, kw_only=True):
    """Messages of the sender, the first of which has the number `first`, each pickled; it has taken all of the other
    side that are before `wanted`. `state`: what is so now, whatever was said before.
    """

    line: LineId
    first: int
    messages: tuple[bytes, ...]
    wanted: int
    state: Any
