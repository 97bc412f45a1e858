"""The receiving end of a wire from another runner: which message is to come next. Pure."""

from __future__ import annotations

from actors.links.frames import MAX_NUMBER, Piece, check_data
from runtimes.frames import Frame, ProtocolError


class Inbox:
    """Of one wire. `wanted`: the number of the next message; None before the wire has been opened once."""

    def __init__(self) -> None:
        self.epoch = 0
        self.wanted: int | None = None
        self.is_open = False

    def opened(self, epoch: int, oldest: int) -> int:
        """The sender has a connection; it keeps what it has from `oldest` on. Returns the number that is wanted.

        With a new epoch it has lost its numbers, and what it has now is new. In the same epoch it has forgotten only
        what was acknowledged: by an end that was here before this one, if this one has not been opened yet.
        """
        if epoch < self.epoch:
            raise ProtocolError(f"OPEN of epoch {epoch} after {self.epoch}")
        if oldest >= MAX_NUMBER or (self.wanted is not None and epoch == self.epoch and self.wanted < oldest):
            raise ProtocolError(f"OPEN from {oldest} on, but {self.wanted} was to come")
        if self.wanted is None or epoch > self.epoch:
            self.wanted = oldest
        self.epoch, self.is_open = epoch, True
        return self.wanted

    def lost_connection(self) -> None:
        """Until it is opened again nothing may come."""
        self.is_open = False

    def take(self, frame: Frame) -> Piece | None:
        """What is new of a DATA frame; None if nothing is. Raises ProtocolError if something between is missing."""
        if not self.is_open or self.wanted is None:
            raise ProtocolError("DATA of a wire that is not open")
        check_data(frame)
        _, _, body, flags, skip, count, first = frame
        known = self.wanted - first
        if known < 0:
            raise ProtocolError(f"DATA from {first} on, but {self.wanted} was to come")
        if known >= count:
            return None
        self.wanted = first + count
        return Piece(body, flags, skip + known, count - known, first + known)
