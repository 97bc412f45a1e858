"""What an actor tells itself, so that others have their turn first."""

from __future__ import annotations


class Flush:  # no dataclass: made once per burst of frames on the hot path
    """Write what has been collected for the host."""

    __slots__ = ()


class TakeFrames:
    """Go on with what has been read from the host."""

    __slots__ = ()
