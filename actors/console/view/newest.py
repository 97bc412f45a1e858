"""What comes again and again, shown the newest first: whoever reads further down keeps what he reads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

from actors.console.text import short
from actors.console.view.drawing import Line

T = TypeVar("T")


class Newest(Generic[T]):
    """At most `most` of them, numbered from 1 as they came.

    While the top is not in view, what there was stays, and at most as many newer ones are kept beside it.
    """

    def __init__(self, most: int) -> None:
        self._known: deque[tuple[int, T]] = deque(maxlen=most)
        self._newer: deque[tuple[int, T]] = deque(maxlen=most)  # since the top has been out of view
        self._count = self._shown = 0  # how many have come, and had when the top was in view
        self._at_top = True

    def take(self, entries: Iterable[T]) -> None:
        """Beside those that are read, if the top is not in view."""
        kept = self._known if self._at_top else self._newer
        for entry in entries:
            self._count += 1
            kept.append((self._count, entry))

    def newest_first(self) -> Iterator[tuple[int, T]]:
        """Those that are kept, each after its number."""
        yield from reversed(self._newer)
        yield from reversed(self._known)

    def lines(self, made: Callable[[T], Iterable[Line]]) -> Iterator[tuple[int, Line]]:
        """The newest first, each line with the number of what it is made of."""
        lost = self._lost()
        for number, one in self.newest_first():
            if lost and number == self._known[-1][0]:
                yield number + lost, [(f"{lost:,} that came in between are not kept", "dim")]
            yield from ((number, line) for line in made(one))

    def _lost(self) -> int:
        """How many came after those that are read, and before those that are kept since."""
        return self._newer[0][0] - self._known[-1][0] - 1 if self._newer and self._known else 0

    def above(self, ids: Sequence[str], top: int) -> str:
        """How many newer ones there are above `top`, the first that is in view; `ids`: as Wrapped makes them."""
        self._at_top = top == 0
        if self._at_top:
            self._known.extend(self._newer)
            self._newer.clear()
            self._shown = self._count
            return ""
        in_view = _number(ids[top])
        newer = {number for number in map(_number, ids[:top]) if number > self._shown and number != in_view}
        lost = self._lost()
        count = len(newer) + (lost - 1 if lost and self._newer[0][0] - 1 in newer else 0)
        return f"{short(count)} newer: g" if newer else ""


def _number(id: str) -> int:
    return int(id.partition(".")[0])
