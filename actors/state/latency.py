"""Percentiles of durations in a fixed array: buckets of an eighth of a power of two, as HdrHistogram does."""

from __future__ import annotations

import math
from collections import defaultdict

_SHIFTS = 27  # to 2**30 microseconds, about 18 minutes
_LAST = _SHIFTS << 3
BOUNDARIES_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Latency:
    """Counts durations given in seconds; answers percentiles in milliseconds, at most an eighth too high."""

    __slots__ = ("_counts", "sum_s")

    def __init__(self) -> None:
        self._counts: defaultdict[int, int] = defaultdict(int)
        self.sum_s = 0.0

    def add(self, seconds: float) -> None:
        """Count one duration; what is longer than 18 minutes counts as that."""
        us = int(seconds * 1e6) | 8
        shift = us.bit_length() - 4
        bucket = shift << 3 | (us >> shift) & 7 if shift < _SHIFTS else _LAST
        self._counts[bucket] += 1
        self.sum_s += seconds

    def histogram(self) -> list[int]:
        """How many were not longer than each of BOUNDARIES_S, and how many there were."""
        counts = sorted(self._counts.items())
        ends = [(_end_us(bucket) / 1e6, count) for bucket, count in counts]
        return [sum(count for end, count in ends if end <= le) for le in (*BOUNDARIES_S, math.inf)]

    def percentile_ms(self, fraction: float) -> float | None:
        """The duration that `fraction` of all are not longer than; None without any."""
        left = fraction * sum(self._counts.values())
        for bucket in sorted(self._counts):
            left -= self._counts[bucket]
            if left <= 0:
                return _end_us(bucket) / 1000
        return None


def _end_us(bucket: int) -> int:
    return (8 + (bucket & 7) + 1) << (bucket >> 3)
