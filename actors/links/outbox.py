"""The sending end of a wire to another runner: what it has not acknowledged yet. Pure."""

from __future__ import annotations

import math
from collections import deque

from actors.links.crossed import Outgoing
from actors.links.frames import MAX_NUMBER, Piece
from actors.state.segment import Segment
from runtimes.frames import SEPARATOR, ProtocolError

SMALL_BYTES = 4 << 10  # smaller bodies are joined, so that one message a turn is no frame a message
JOINED_BYTES = 64 << 10


class Outbox:
    """Of one wire. `window_bytes`: above it the wire's feeder is to be held; what is under way still finds room."""

    def __init__(self, window_bytes: int, before: Outgoing | None = None) -> None:
        """`before`: what one before this has left."""
        before = before or Outgoing()
        self.window_bytes = window_bytes
        self._unsent: deque[Segment] = deque(before.waiting)
        self._sent: deque[Segment] = deque()  # not acknowledged
        self.waiting_bytes = sum(len(segment.body) for segment in self._unsent)  # both together
        self.waiting = sum(segment.count for segment in self._unsent)  # messages
        self.next = before.next  # the number of the next message that is put in
        self.finished = before.finished  # what came of messages with lower numbers can be lost by nobody
        self.limit = MAX_NUMBER  # messages with this number or a higher one are not to be sent yet
        self.is_open = False  # the other side has said what it wants next

    def put(self, body: bytes, flags: int, skip: int, count: int, now: float = 0.0) -> None:
        """The next messages of the wire."""
        self._unsent.append(Segment("", body, flags, skip, count, self.next, now))
        self.waiting_bytes += len(body)
        self.waiting += count
        self.next += count

    def everything(self) -> list[Segment]:
        """What is kept, the oldest first."""
        return [*self._sent, *self._unsent]

    @property
    def is_whole(self) -> bool:
        """Whether no message is missing between those that are kept, and none before the next one."""
        kept = self.everything()
        firsts = [*(segment.first for segment in kept[1:]), self.next]
        return all(s.first + s.count == first for s, first in zip(kept, firsts, strict=False))

    def renumber(self, following: int) -> None:
        """The next message has that number, and those that are kept the ones before it. That is a new epoch."""
        self.lost_connection()
        self.finished += following - self.next
        self.next = following
        for segment in reversed(self._unsent):
            following -= segment.count
            segment.first = following

    def has_finished(self, number: int) -> None:
        """The other side says what can be lost by nobody any more."""
        self.finished = max(self.finished, min(number, self.oldest))

    @property
    def taken(self) -> int:
        """How many messages the other side has acknowledged that may not be finished."""
        return self.oldest - self.finished

    def forgotten(self) -> int:
        """The other side knows nothing: how many messages, at most, that it had acknowledged are gone."""
        lost, self.finished = self.taken, self.oldest
        return lost

    @property
    def oldest(self) -> int:
        """The number of the oldest message that is kept, or else of the next one."""
        for queue in (self._sent, self._unsent):
            if queue:
                return queue[0].first
        return self.next

    @property
    def arrived(self) -> float:
        """When the oldest message came that is kept; infinite, if there is none."""
        for queue in (self._sent, self._unsent):
            if queue:
                return queue[0].arrived
        return math.inf

    @property
    def is_full(self) -> bool:
        """Whether the feeder is to be held."""
        return self.waiting_bytes > self.window_bytes

    @property
    def has_room(self) -> bool:
        """Whether it may go on."""
        return self.waiting_bytes <= self.window_bytes // 2

    def take(self) -> list[Piece]:
        """What is to be sent now, in order."""
        if not self.is_open or not self._unsent:
            return []
        pieces: list[Piece] = []
        unsent, limit = self._unsent, self.limit
        while unsent and unsent[0].first < limit:
            segment = unsent.popleft()
            if len(segment.body) < SMALL_BYTES and unsent:
                segment = self._joined(segment)
            self._sent.append(segment)
            pieces.append(Piece(segment.body, segment.flags, segment.skip, segment.count, segment.first))
        return pieces

    def _joined(self, first: Segment) -> Segment:
        """The segment with those behind it that are as small and as plain."""
        group, size = [first], len(first.body)
        while (
            self._unsent and _is_plain(group[-1]) and len(self._unsent[0].body) < SMALL_BYTES
            and size < JOINED_BYTES and self._unsent[0].first < self.limit and _is_plain(self._unsent[0])
        ):  # fmt: skip
            group.append(self._unsent.popleft())
            size += len(group[-1].body)
        if len(group) == 1:
            return first
        body = b"[" + SEPARATOR.join([segment.body[1:-1] for segment in group]) + b"]"
        self.waiting_bytes += len(body) - size
        return Segment("", body, 0, 0, sum([segment.count for segment in group]), first.first, first.arrived)

    def acknowledged(self, wanted: int) -> int:
        """The other side has all before that number; returns how many messages may be forgotten by that."""
        if not self.oldest <= wanted <= (self._unsent[0].first if self._unsent else self.next):
            raise ProtocolError(f"ACK {wanted}, but {self.oldest} to {self.next} have been sent")
        return self._drop(wanted)

    def opened(self, wanted: int) -> int:
        """It says on a new connection what it wants: everything from there is to be sent. Returns as `acknowledged`."""
        self.lost_connection()
        if not self.oldest <= wanted <= self.next:
            raise ProtocolError(f"it wants message {wanted}, but there are {self.oldest} to {self.next}")
        self.is_open = True
        return self._drop(wanted)

    def lost_connection(self) -> None:
        """Nobody knows what has arrived of what was sent."""
        self.is_open = False
        self._unsent.extendleft(reversed(self._sent))
        self._sent.clear()

    def _drop(self, wanted: int) -> int:
        before = self.waiting
        for queue in (self._sent, self._unsent):
            while queue and queue[0].first < wanted:
                segment = queue[0]
                done = min(segment.count, wanted - segment.first)
                self.waiting -= done
                if done < segment.count:
                    segment.skip += done
                    segment.first += done
                    segment.count -= done
                    break
                self.waiting_bytes -= len(segment.body)
                queue.popleft()
        return before - self.waiting


def _is_plain(segment: Segment) -> bool:
    """Whether every message of the body is meant, and there are no headers."""
    return not segment.flags and not segment.skip and segment.body.count(b"\n") == segment.count - 1
