"""The figures of a link: what its wires have carried, and what waits. It asks their ends, and counts nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

End = tuple[str, str, bool]  # flow, wire, whether it sends


class WireFigures(NamedTuple):
    """Of one end: messages that the other runner has, or that came from it; those that it has not acknowledged."""

    carried: int
    waiting: int = 0
    waiting_bytes: int = 0


class LinkFigures:
    """Of all wires on one link."""

    def __init__(self) -> None:
        self._ends: dict[End, Callable[[], WireFigures]] = {}
        self._sample: tuple[float, dict[End, int]] = time.monotonic(), {}

    def join(self, end: End, figures: Callable[[], WireFigures]) -> None:
        """One more; messages that it has carried already are none of ours."""
        self._ends[end] = figures
        self._sample[1][end] = figures().carried

    def leave(self, end: End) -> None:
        """It is not there any more."""
        self._ends.pop(end, None)
        self._sample[1].pop(end, None)

    def row(self) -> dict[str, Any]:
        """Messages per second since the last call, both ways; what waits to be acknowledged."""
        found = {end: figures() for end, figures in self._ends.items()}
        (then, before), now = self._sample, time.monotonic()
        self._sample = now, {end: its.carried for end, its in found.items()}
        rates = {True: 0, False: 0}
        for end, its in found.items():
            rates[end[2]] += max(0, its.carried - before[end])  # numbers may begin anew
        seconds = max(now - then, 1e-9)
        return {
            "inPerS": rates[False] / seconds, "outPerS": rates[True] / seconds,
            "unacknowledged": sum(its.waiting for its in found.values()),
            "unacknowledgedBytes": sum(its.waiting_bytes for its in found.values()),
        }  # fmt: skip
