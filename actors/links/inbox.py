"""The receiving end of a wire from another runner: which message is to come next. Pure."""

from __future__ import annotations

from actors.links.crossed import Incoming
from actors.links.frames import MAX_NUMBER, Piece, check_data
from runtimes.frames import Frame, ProtocolError


class Inbox:
    """Of one wire. `wanted`: the number of the next message; None before the wire has been opened once.

    Here numbers never go back: those of a sender that begins anew are raised by `shift`.
    """

    def __init__(self, number: int = 0, before: Incoming | None = None) -> None:
        """`number`: the first that its messages have here; `before`: what an end before this has known."""
        self._number = number
        self.epoch = before.epoch if before else 0
        self.wanted = before.wanted if before else None
        self.shift = before.shift if before else 0
        self.is_open = self.was_open = False

    @property
    def state(self) -> Incoming | None:
        """For an end after this; None if nothing is known."""
        return None if self.wanted is None else Incoming(self.epoch, self.wanted, self.shift)

    def missing(self, epoch: int, oldest: int, taken: int) -> int:
        """How many messages the sender has forgotten that are not here: this end had acknowledged them once, or
        those `taken` at most. An end that was open has what it has acknowledged.
        """
        if self.was_open:
            return 0
        if self.wanted is None:
            return taken
        return max(0, oldest - self.wanted) if epoch == self.epoch else 0

    def beyond(self, known: int) -> int:
        """How many messages are here that the sender, for which `known` was the next one, does not know any more."""
        return max(0, (self.wanted or 0) - known) if self.epoch else 0

    def begin_anew(self) -> None:
        """Take what the sender has, whatever that is."""
        self._number = max(self._number, (self.wanted or 0) + self.shift)
        self.epoch, self.wanted, self.shift = 0, None, 0

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
            number = self._number if self.wanted is None else self.wanted + self.shift
            self.wanted, self.shift = oldest, max(0, number - oldest)
        self.epoch, self.is_open, self.was_open = epoch, True, True
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
        if known < 0 or first + count + self.shift >= MAX_NUMBER:
            raise ProtocolError(f"DATA from {first} on, but {self.wanted} was to come")
        if known >= count:
            return None
        self.wanted = first + count
        return Piece(body, flags, skip + known, count - known, first + known + self.shift)
