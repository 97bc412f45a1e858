"""The messages that modules handled last, kept to try another version on. All modules of a process share one bound."""

from __future__ import annotations

from collections import deque
from weakref import WeakSet

from actors.state.segment import Segment

SEGMENTS, SEGMENT_BYTES = 20, 8 << 10  # of a module; a larger segment is not kept
ALL_BYTES = 16 << 20  # of all modules of a process


class Recent:
    """Of one module, which is one of `all`."""

    __slots__ = ("__weakref__", "_all", "bytes", "segments")

    def __init__(self, all: All) -> None:
        self._all = all
        self.segments: deque[Segment] = deque()  # the oldest first
        self.bytes = 0
        all.each.add(self)

    def __del__(self) -> None:
        self._all.bytes -= self.bytes

    def add(self, segment: Segment) -> None:
        """One that is done."""
        size, all = len(segment.body), self._all
        if size > SEGMENT_BYTES:
            return
        if len(self.segments) == SEGMENTS:
            self.drop()
        self.segments.append(segment)
        self.bytes += size
        all.bytes += size
        if all.bytes > all.most:
            all.give_way(self)

    def drop(self) -> None:
        """Forget the oldest one."""
        size = len(self.segments.popleft().body)
        self.bytes -= size
        self._all.bytes -= size


class All:
    """When all together are too many, those give way that have more than their share."""

    def __init__(self, most: int = ALL_BYTES) -> None:
        self.most, self.bytes = most, 0
        self.each: WeakSet[Recent] = WeakSet()

    def give_way(self, one: Recent) -> None:
        """The one that has just grown, if it has more than its share; else whoever has most."""
        share = self.most // len(self.each)
        if one.bytes <= share:
            one = max(self.each, key=_bytes)
        while self.bytes > self.most and one.bytes > share:
            while one.bytes > share:
                one.drop()
            one = max(self.each, key=_bytes)


def _bytes(one: Recent) -> int:
    return one.bytes


HERE = All()
